import pytest

from tests.commands.conftest import fails, net  # noqa: F401 fixtures


@pytest.fixture
def refused(fails):  # noqa: F811
    """Runs a command line that must end with one short printable line on stderr and code 2; the line."""

    def run(*arguments):
        line = fails(*arguments)
        assert line[:-1].isprintable() and len(line) < 1100, line
        return line

    return run
