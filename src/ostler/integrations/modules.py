"""Python files of the user's, imported outside any package."""

import hashlib
import importlib.util
import os
import sys
import traceback
from types import ModuleType


def imported(path: str) -> ModuleType:
    """The file's module, run anew. Raises whatever it raises."""
    name = f"ostler_user_{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # hints are looked up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def stem(path: str) -> str:
    """A file's name without its ending."""
    return os.path.splitext(os.path.basename(path))[0]


def where(error: BaseException, path: str) -> tuple[int, str]:
    """The line of a file that an error came from (0: unknown), and the error in a sentence."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno or 0, f"SyntaxError: {error.msg}"
    lines = [f.lineno or 0 for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return (lines[-1] if lines else 0), f"{type(error).__name__}: {error}"
