"""What breaks, on purpose: small parts that any test can use. All of it is real: processes, signals, limits, disks.

injected.failing_write(n, home)   the n-th write below a folder fails, in this process or (by the environment) others
injected.jumping_clock(n, s)      the wall clock jumps by s seconds at its n-th reading
processes.family / lives / left   who descends from whom, who still lives, whom workers have left behind
processes.small_disk(bytes)       a folder on a disk that is soon full
site/                             on PYTHONPATH: a step that breaks as asked, and faults by the environment
drill                             kills, cancels, full memory, hangs, failing writes over a real comparison
tests.hub_server.HubServer        a network that breaks: `break_off`, `alter`, `fail`, `claim`
"""
