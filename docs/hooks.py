"""What mkdocs calls while it builds the site: pages that are in no file are made here."""
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

TOP = Path(__file__).resolve().parent.parent


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference, and the list of changes."""
    sys.path.insert(0, str(TOP))
    from docs.reference import pages

    for path, text in {**pages(), "changes.md": (TOP / "CHANGELOG.md").read_text()}.items():
        files.append(File.generated(config, path, content=text))
    return files
