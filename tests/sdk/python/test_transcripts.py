"""The Python of docs/transcripts.md, run as it stands there by somebody who has tests/recorded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ["MOCK_ROOT"])


def test_the_tests_of_the_page_pass(tmp_path):
    page = (ROOT / "docs" / "transcripts.md").read_text()
    (code,) = (block.split("```")[0] for block in page.split("```python\n")[1:])
    shutil.copytree(ROOT / "tests" / "recorded", tmp_path / "tests" / "recorded")
    (tmp_path / "tests" / "test_hello.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "--rootdir=.", "tests"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
