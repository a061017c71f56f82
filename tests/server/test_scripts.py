"""What the joining of modules does not know it refuses; what it joins runs in a browser."""

from __future__ import annotations

import pytest

from dashboard.server.exports.scripts import join_modules


@pytest.mark.parametrize(
    "line", ["export default 1;", 'import "./base.js";', 'export * from "./base.js";']
)
def test_unknown_forms(line):
    """A form that nobody thought of is refused, not joined wrongly."""
    with pytest.raises(ValueError, match="no import or export known here"):
        join_modules("main.js", {"main.js": f"{line}\n"}.__getitem__)
