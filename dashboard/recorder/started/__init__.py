"""A folder that Python looks into first when `loopscope record` starts a program."""
