"""What the benchmarks print beside several peers; the measuring itself is no test's business."""
from benchmarks import clients, memory, readme, throughput
from benchmarks.common import Options, product
from benchmarks.report import Bar, Result, figure, summary

ALONE = Options(peers=(("nosuch-server",),))
THREE = Options(server=("ours-server",), peers=(("a-server",), ("/x/b-server", "--hz", "5"), ("c-server",)))


def test_labels_and_commands():
    assert ALONE.labels == ("ours", "peer") and ALONE.columns("CPU") == ["CPU ours", "peer", "ratio"]
    assert THREE.labels == ("ours", "peer", "peer2", "peer3")
    assert [THREE.command(label)[0] for label in THREE.labels] == ["ours-server", "a-server", "/x/b-server", "c-server"]
    assert THREE.columns("CPU") == ["CPU ours", "a-server", "ratio", "b-server", "ratio", "c-server", "ratio"]
    values, ratios = {"ours": 1, "peer": 2, "peer2": 4, "peer3": 8}, {"peer": 0.5, "peer2": 0.25, "peer3": 0.125}
    assert THREE.cells(values, ratios) == [1, 2, 0.5, 4, 0.25, 8, 0.125]
    assert [each.peers for each in THREE.beside_each()] == [(peer,) for peer in THREE.peers]


def test_a_product_is_what_the_program_says(tmp_path):
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho Valkey server v=9.1.2 sha=0:1 malloc=libc bits=64 build=1\n")
    program.chmod(0o755)
    assert product(str(program)) == "valkey 9.1.2"


def results():
    ratios = {"peer": 0.5, "peer2": 0.25, "peer3": None}
    values = {"ours": 79.0, "peer": 158.0, "peer2": 316.0, "peer3": None}
    every = [figure("300,000 of a string", "B/item", values, ratios, Bar("ratio", "<=", 1.0))]
    alone = [figure("longest", "ms", {"ours": 1.0, "peer": 2.0}, {"peer": 0.5})]
    return [Result("memory", every), Result("pauses", alone, beside="valkey 9.1.2")]


def test_the_summary_has_a_ratio_for_each_peer():
    lines = summary(results(), THREE).splitlines()
    assert [len(line.split("  ")) > 1 for line in lines]
    assert lines[2].split()[-9:] == ["0.5", "316", "0.25", "-", "-", "ratio", "<=", "1", "pass"]
    assert lines[3].startswith("pauses beside valkey 9.1.2: longest") and lines[3].count(" - ") == 4


def test_the_table_of_the_readme():
    figures = [vars(each) | {"others": each.others} for each in results()[0].figures]
    data = {"machine": {"peers": ["a", "b", "c"]}, "results": [{"name": "memory", "figures": figures}]}
    assert readme.markdown(data).splitlines() == [
        "| | fastredis | a | ratio | b | ratio | c | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| memory for 300,000 keys of 16 and values of 32 bytes, each | 79.0 B | 158.0 B | 0.50 | 316.0 B | 0.25 "
        "| more than 2 s | |",
    ]


def test_the_readme_asks_for_figures_that_there_are():
    known = {("expiry", "lag p99"), ("clients", f"CLIENT LIST of {clients.CLIENTS:,} clients, server CPU")}
    known |= {("memory", case.name) for case in memory.CASES + memory.ALL_KINDS}
    for test in throughput.TESTS:
        known |= {("throughput", f"{test.name} P={pipeline} server CPU") for pipeline in test.cpu_bars}
        known |= {("throughput", f"{test.name} P={pipeline} rate") for pipeline in test.rate_bars}
    assert {(result, name) for _, result, name, _, _ in readme.ROWS} <= known
