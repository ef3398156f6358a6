"""``vpin simulate``: boards as their firmware speaks, with sensors, buttons and network losses."""
