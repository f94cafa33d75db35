import subprocess
import sys


def test_the_limit_of_open_files_is_raised() -> None:
    program = (
        "import resource as r; from runtime.open_files import allow_many_files\n"
        "hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (100, hard)); allow_many_files()\n"
        "soft = r.getrlimit(r.RLIMIT_NOFILE)[0]; print(soft > 100 and soft == min(hard, 65_536))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
