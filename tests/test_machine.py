"""Facts of the machine come from the system and hold for every measurement."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

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


def test_graphics_cards_and_npus_are_told_by_their_drivers(tmp_path: Path) -> None:
    for driver in ("xe", "intel_vpu", "snd_hda_intel"):
        (tmp_path / "drivers" / driver).mkdir(parents=True)
    for place, driver in (("drm/card0", "xe"), ("drm/card0-HDMI-A-1", "xe"), ("accel/accel0", "intel_vpu"),
                          ("drm/card1", "snd_hda_intel")):  # fmt: skip
        (tmp_path / place / "device").mkdir(parents=True)
        (tmp_path / place / "device" / "driver").symlink_to(tmp_path / "drivers" / driver)
    assert machine.driven_devices(tmp_path) == ["Intel NPU (intel_vpu)", "Intel GPU (xe)"]
    assert machine.driven_devices(tmp_path / "nothing") == []


def test_an_nvidia_card_is_called_as_its_driver_calls_it(tmp_path: Path) -> None:
    for place, name in (("0000:00:1e.0", "NVIDIA L40S"), ("0000:00:1f.0", "Tesla T4")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 24\n")
    assert sorted(machine.nvidia_cards(tmp_path)) == ["NVIDIA L40S", "NVIDIA Tesla T4"]


def test_every_known_instruction_set_is_listed_with_whether_it_is_here() -> None:
    here = machine.this_machine()
    assert {flag for flag, has in here.instruction_sets.items() if has} == set(here.flags)


def test_the_threads_that_compute_are_held_to_a_core_each_and_let_go() -> None:
    working, end = threading.Event(), threading.Event()
    idle = threading.Thread(target=end.wait)
    busy = threading.Thread(target=lambda: [_spin(0.2), working.set(), end.wait()])
    before = machine.thread_seconds()
    idle.start()
    busy.start()
    _spin(0.2)
    working.wait(20)
    found = machine.places(before, 4)
    main, other = threading.get_native_id(), busy.native_id
    cores = machine.usable_cores()
    try:
        told = sys.platform == "linux"  # others neither tell what a thread does nor let it be placed
        assert found == (dict(zip(sorted([main, other or 0]), cores, strict=False)) if told else {})
        with machine.held(found):
            assert {thread: os.sched_getaffinity(thread) for thread in found} == {t: {c} for t, c in found.items()}
        assert all(os.sched_getaffinity(thread) == set(cores) for thread in found)
    finally:
        end.set()
        busy.join()
        idle.join()
    with machine.held(found):  # one of them is gone
        pass


def test_memory_is_held_and_given_back() -> None:
    before = _resident()
    with machine.fragments_taken(64 << 20):
        assert _resident() > before + (60 << 20) or sys.platform != "linux"
    assert _resident() < before + (60 << 20)


def _spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def _resident() -> int:
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * 4096 if file.exists() else 0
