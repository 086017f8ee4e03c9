"""Tools that are run by hand or by the long tests."""
