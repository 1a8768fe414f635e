"""Facts of the machine come from the system and hold for every measurement."""

from __future__ import annotations

import time

from workbench import machine


def test_this_machine_is_described_the_same_twice() -> None:
    here = machine.this_machine()
    assert here == machine.this_machine() and here.to_dict()["isa"] == here.isa
    assert here.isa.startswith(f"{here.architecture}/") and all(here.has(flag) for flag in here.flags)
    assert here.cores >= 1 and 0 < here.quota <= here.cores and here.memory_bytes > 1 << 28


def test_auto_threads_are_the_whole_cores_of_the_quota() -> None:
    assert machine.auto_threads() == max(1, int(machine.cpu_quota()))
    assert len(machine.usable_cores()) >= machine.auto_threads()


def test_the_class_names_the_instructions_that_change_kernels() -> None:
    named = machine._isa_class
    assert named("x86_64", ("avx2", "avx512f", "avx512_vnni", "amx_int8")) == "x86_64/avx512_vnni+amx_int8"
    assert named("x86_64", ("avx2", "avx512f")) == "x86_64/avx512f" and named("x86_64", ("avx2",)) == "x86_64/avx2"
    assert named("x86_64", ()) == "x86_64/base" and named("riscv64", ()) == "riscv64/base"


def test_the_load_of_others_leaves_out_our_own() -> None:
    before = machine.cpu_clock()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert 0 <= machine.load_of_others(before, 0.3) <= machine.load_of_others(before, 0.0) <= 1


def test_a_process_is_silent_when_it_only_sleeps() -> None:
    assert 0 < machine.silence(limit=30) < 30
    assert machine.peak_memory() > 1 << 20 and machine.steal_seconds() >= 0
