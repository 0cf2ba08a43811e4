"""Writes down what a Python program does, a line each: modules it looks for, SQL it executes,
programs it starts; and on each line how many functions its main thread has called by then. Python
imports this by itself when its folder is on PYTHONPATH; it acts when BENCH_PROBE names a file, and
neither variable reaches the program's children.

Nothing is imported here that a bare interpreter has not: what the program imports is counted.
"""

import os
import sys


def _begin(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    calls = 0

    def count(frame, event, _argument):
        nonlocal calls
        if event == "call" and frame.f_code.co_filename != __file__:
            calls += 1

    def tell(kind, what):
        os.write(file, f"{kind} {calls} {what}\n".encode())

    def traced(connect):
        def connect_traced(*arguments, **options):
            connection = connect(*arguments, **options)
            connection.set_trace_callback(lambda sql: tell("sql", sql.split(None, 1)[0].upper()))
            return connection

        return connect_traced

    class Finder:
        """First of all finders. Finds nothing but sqlite3, whose connections are to be traced."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            tell("module", name)
            if name != "sqlite3":
                return None
            found = (f.find_spec(name, path, target) for f in sys.meta_path if f is not Finder)
            spec = next(spec for spec in found if spec)
            execute = spec.loader.exec_module

            def execute_then_patch(module):
                execute(module)
                module.connect = traced(module.connect)

            spec.loader.exec_module = execute_then_patch
            return spec

    def audit(event, arguments):
        if event == "subprocess.Popen":
            tell("program", os.path.basename(str(arguments[0])))

    sys.meta_path.insert(0, Finder)
    sys.addaudithook(audit)
    # uvloop starts programs without an audit event, but runs what is registered here, as Popen
    # does not
    os.register_at_fork(before=lambda: tell("program", "fork"))
    sys.setprofile(count)


if path := os.environ.pop("BENCH_PROBE", None):
    os.environ.pop("PYTHONPATH", None)
    _begin(path)
