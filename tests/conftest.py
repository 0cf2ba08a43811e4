"""Settings of the whole run."""

from hypothesis import settings

# Machines that run the tests in parallel have no steady clock; the same examples every time keep a
# run's outcome a matter of the code alone.
settings.register_profile("ostler", deadline=None, derandomize=True)
settings.load_profile("ostler")
