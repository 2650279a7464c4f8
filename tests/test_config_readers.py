"""No setting pretends: each is read by something, or has no effect and says so, or is refused."""
import re
from pathlib import Path

import pytest

import fastredis
from fastredis.config.config import Config, ConfigError, FatalConfigError
from fastredis.config.table import PARAMETERS
from fastredis.config.types import IMMUTABLE

SOURCE = Path(fastredis.__file__).parent
NAMES_ONLY = {"table.py", "types.py"}     # these say what there is; the others use it
# Settings whose names are put together where they are read, and how.
BUILT_NAMES = {
    "enable-debug-command": 'f"enable-{name.decode()}-command"',
    "enable-module-command": 'f"enable-{name.decode()}-command"',
}


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    """`dir` is the process's working directory: every test gets its own."""
    monkeypatch.chdir(tmp_path)


def source_that_reads():
    """All source but for what only names settings: lists of those that are handed on or shown, and on_change()."""
    texts = []
    for path in sorted(SOURCE.rglob("*.py*")):
        if path.suffix in (".py", ".pyx") and path.name not in NAMES_ONLY:
            text = path.read_text()
            text = re.sub(r'on_change\("[a-z-]+"', "", text)
            texts.append(re.sub(r"ENGINE_SETTINGS = \(.*?\n\)|SHOWN_SETTINGS = \(.*?\)", "", text, flags=re.DOTALL))
    return "\n".join(texts)


TEXT = source_that_reads()


def readers(parameter):
    """Where the source reads a setting: `config.a_name`, or its name in quotes."""
    found = []
    for name in filter(None, (parameter.name, parameter.alias)):
        spelled = re.escape(name.replace("-", "_"))
        found += re.findall(rf'\b(?:config|settings|c)\.{spelled}\b|["\']{re.escape(name)}["\'](?!:)', TEXT)
    built = BUILT_NAMES.get(parameter.name)
    return found + ([built] if built and built in TEXT else [])


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_a_setting_has_a_reader_or_its_row_says_why_not(parameter):
    if parameter.inert or parameter.absent:
        assert not readers(parameter), "it is read: its row must not say that it has no effect"
        assert not (parameter.inert and parameter.absent)
    else:
        assert readers(parameter), "nothing reads it"


def test_a_reader_is_found_and_a_mere_name_is_not():
    found = {parameter.name: readers(parameter) for parameter in PARAMETERS}
    assert found["hz"] and found["bio-cpulist"] and found["shutdown-on-sigint"] and found["lfu-log-factor"]
    assert not found["cluster-port"] and not found["io-threads"]


# Another value than the default, for each kind of setting that is refused or has no effect.

def another(parameter):
    """A value, as text, that is not the default and that the kind of setting can read."""
    if parameter.kind == "bool":
        return "no" if parameter.default else "yes"
    if parameter.kind == "enum":
        return next(value for value in parameter.values if value != parameter.default)
    if parameter.kind in ("int", "memory"):
        return str(parameter.low if parameter.default != parameter.low else parameter.low + 1)
    values = {"cluster-announce-client-ipv4": "10.0.0.1", "cluster-announce-client-ipv6": "::1", "locale-collate": "C"}
    return values.get(parameter.name, "x")


ABSENT = [parameter for parameter in PARAMETERS if parameter.absent]
INERT = [parameter for parameter in PARAMETERS if parameter.inert and parameter.name != "activedefrag"]


@pytest.mark.parametrize("parameter", ABSENT, ids=lambda parameter: parameter.name)
def test_what_is_not_there_is_refused(parameter):
    config = Config()
    reason = f"{parameter.name} is not supported: {parameter.absent}"
    value, default = another(parameter), config.text(parameter.name)
    with pytest.raises(FatalConfigError) as fatal:
        config.load(options=f"{parameter.name} {value}")
    assert fatal.value.reason == reason and fatal.value.line_text == f"{parameter.name} {value}"
    config.load(options=f'{parameter.name} "{default}"')
    if not parameter.flags & IMMUTABLE:
        with pytest.raises(ConfigError) as refusal:
            config.set_many([(parameter.name, value)])
        assert str(refusal.value).endswith(f"(possibly related to argument '{parameter.name}') - {reason}")
        config.set_many([(parameter.name, default)])
    assert config.text(parameter.name) == default


@pytest.mark.parametrize("parameter", INERT, ids=lambda parameter: parameter.name)
def test_what_has_no_effect_says_so_once(parameter):
    def told(load):
        config, warnings = Config(), []
        config.warn = warnings.append
        for _ in range(2):
            load(config)
        assert config.text(parameter.name) == value
        return warnings

    value = another(parameter)
    expected = [f"The setting {parameter.name} '{value}' has no effect: {parameter.inert}"]
    assert told(lambda config: config.load(options=f"{parameter.name} {value}")) == expected
    if not parameter.flags & IMMUTABLE:
        assert told(lambda config: config.set_many([(parameter.name, value)])) == expected


def test_defaults_and_refused_values_say_nothing():
    config, warnings = Config(), []
    config.warn = warnings.append
    config.load(options='io-threads 1\ntls-port 0\ncluster-enabled no\nactivedefrag no')
    config.set_many([("active-expire-effort", "1")])
    with pytest.raises(ConfigError):
        config.set_many([("active-expire-effort", "3"), ("hz", "x")])
    assert warnings == []
