"""What several test modules ask of a result."""

import pytest


def one_sentence(error: pytest.ExceptionInfo) -> bool:
    return "\n" not in str(error.value) and 10 < len(str(error.value)) < 300
