"""A job has a process of its own: what it says arrives, what it breaks stays there, and it ends for certain."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import jobs
from tests.faults.processes import lives
from workbench import environment, isolate
from workbench.errors import RequestError, WorkbenchError
from workbench.isolate import Limits, WorkerError

PATIENCE = 20.0  # seconds that a process may take to be gone; usually it is milliseconds


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log" / "job.log"


@pytest.fixture(autouse=True, params=["fresh", "forked"])
def begun(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """How workers begin here: everything holds for both. What is imported beforehand is little."""
    monkeypatch.setattr(isolate, "PRELOADED", ("decimal",))
    monkeypatch.setattr(isolate, "_unable", False)
    if request.param == "forked":
        monkeypatch.setattr(isolate, "Limits", functools.partial(Limits, preload=True))
    yield str(request.param)
    isolate.close_servers()


def call(function: Any, log: Path, job: dict[str, Any] | None = None, **limits: Any) -> Any:
    return isolate.call(function, job or {}, isolate.Limits(**{"seconds": 60, **limits}), log)


def failed(function: Any, log: Path, job: dict[str, Any] | None = None, **limits: Any) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        call(function, log, job, **limits)
    return caught.value


def gone(*pids: int) -> bool:
    until = time.monotonic() + PATIENCE
    while any(lives(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(lives(pid) for pid in pids)


# ---- what arrives -------------------------------------------------------------------------------


def test_the_result_comes_back_from_another_process(log: Path) -> None:
    said = call(jobs.echo, log, {"text": "größer", "numbers": [1, 2.5, None]})
    assert said["got"] == {"text": "größer", "numbers": [1, 2.5, None]} and said["pid"] != os.getpid()


def test_progress_arrives_while_the_job_goes_on(log: Path) -> None:
    heard: list[tuple[float, float, str]] = []
    result = isolate.call(jobs.count, {}, isolate.Limits(seconds=60), log, lambda *said: heard.append(said))
    assert result == 3 and heard[-1] == (3, 3, "step 3") and heard[0][0] == 1


def test_a_parked_worker_answers_one_message_after_the_other(log: Path) -> None:
    with isolate.start(jobs.talk, {}, isolate.Limits(seconds=60), log) as worker:
        assert worker.answer() == "ready"
        assert [worker.ask(number) for number in (1, 2, 21)] == [2, 4, 42]
    assert gone(worker.pid)


def test_what_a_library_prints_lands_in_the_log_and_not_in_the_answer(log: Path) -> None:
    assert call(jobs.chatter, log) == "''"  # the real function's result; stdin is empty
    assert all(words in log.read_text() for words in ("a progress bar", "forged", "forged below", "a child speaks"))


# ---- what goes wrong ----------------------------------------------------------------------------


def test_an_error_becomes_words_and_the_log_has_the_rest(log: Path) -> None:
    error = failed(jobs.fail, log)
    assert error.what == "ValueError: the shapes do not fit" and error.kind == "error"
    assert "Traceback" not in str(error) and "Traceback" in error.tail and "and more lines" in log.read_text()


def test_what_was_said_for_people_passes_through(log: Path) -> None:
    with pytest.raises(RequestError) as caught:
        call(jobs.refuse, log)
    assert (caught.value.what, caught.value.why, caught.value.fix) == (
        "Row 3 is empty.",
        "Nothing is there.",
        "Fill it in.",
    )
    error = failed(jobs.give_up, log)
    assert not isinstance(error, RequestError) and error.what == "It cannot be exported."


def test_a_result_that_json_cannot_say_is_an_error(log: Path) -> None:
    assert failed(jobs.give_nan, log).what.startswith("ValueError")


def test_a_job_that_leaves_is_an_error(log: Path) -> None:
    assert "SystemExit" in failed(jobs.leave, log).what


def test_the_time_limit_ends_the_worker_and_its_children(log: Path) -> None:
    worker = isolate.start(jobs.hang, {}, isolate.Limits(seconds=60), log)
    pids = worker.answer()
    with pytest.raises(WorkerError) as caught:
        worker.result(seconds=0.5)
    assert caught.value.kind == "timeout" and "0.5 s" in caught.value.why
    assert "this is where it hangs" in caught.value.tail
    assert gone(*pids)


def test_end_leaves_no_process_and_may_be_called_twice(log: Path) -> None:
    worker = isolate.start(jobs.hang, {}, isolate.Limits(seconds=60), log)
    pids = worker.answer()
    worker.end()
    worker.end()
    assert gone(*pids)


def test_a_worker_killed_by_somebody_is_not_called_out_of_memory(log: Path) -> None:
    error = failed(jobs.die, log)
    counted = isolate.oom_kills() is not None
    assert error.kind == ("killed" if counted else "memory")
    assert not counted or "SIGKILL" in error.what


def test_a_crash_is_named_by_its_signal(log: Path) -> None:
    error = failed(jobs.die, log, {"signal": signal.SIGSEGV})
    assert error.kind == "killed" and "SIGSEGV" in error.what


def test_a_python_memory_error_is_named(log: Path) -> None:
    error = failed(jobs.allocate, log, memory_bytes=512 << 20)
    assert error.kind == "memory" and error.what == "The worker ran out of memory."


def test_a_native_memory_error_is_named(log: Path) -> None:
    assert failed(jobs.abort_for_memory, log).kind == "memory"


def test_an_earlier_worker_in_the_same_log_is_not_blamed_on_this_one(log: Path) -> None:
    call(jobs.say_memory, log)
    error = failed(jobs.die, log, {"signal": signal.SIGABRT})
    assert error.kind == "killed" and "MemoryError" not in error.tail


def test_a_full_disk_is_named(log: Path) -> None:
    error = failed(jobs.fill_disk, log, {"file": "/dev/full"})
    assert error.what == "There is no space left." and "workbench clean" in error.fix


def test_a_dead_worker_does_not_block_the_one_who_speaks_to_it(log: Path) -> None:
    with isolate.start(jobs.talk, {}, isolate.Limits(seconds=60), log) as worker:
        worker.answer()
        os.kill(worker.pid, signal.SIGTERM)
        assert gone(worker.pid)
        with pytest.raises(WorkerError) as caught:
            worker.ask(1)
    assert caught.value.kind == "killed" and "SIGTERM" in caught.value.what


# ---- what it is given ---------------------------------------------------------------------------


def test_no_token_and_no_unknown_variable_reaches_a_worker(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = {
        "HF_TOKEN": "hf_secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "MY_SETTING": "secret",
        "HTTPS_PROXY": "secret",
    }
    for name, value in outside.items():
        monkeypatch.setenv(name, value)
    env = call(jobs.surroundings, log, threads=3)["env"]
    assert not set(outside) & set(env) and "secret" not in str(env)
    assert env["HF_HUB_OFFLINE"] == env["TRANSFORMERS_OFFLINE"] == env["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert "HF_ENDPOINT" not in env and env["OMP_NUM_THREADS"] == "3"


def test_a_lock_names_the_variables_that_reach_a_worker_and_no_other(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PYTHONHASHSEED": "3", "TOKENIZERS_PARALLELISM": "true", "ONEDNN_MAX_CPU_ISA": "AVX2"}.items():
        monkeypatch.setenv(name, value)
    env = call(jobs.surroundings, log)["env"]
    assert environment.variables() == {"PYTHONHASHSEED": "3"} and env["PYTHONHASHSEED"] == "3"
    assert env["TOKENIZERS_PARALLELISM"] == "false" and "ONEDNN_MAX_CPU_ISA" not in env


def test_only_the_fetcher_is_given_what_a_network_needs(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("MY_SETTING", "secret")
    env = call(jobs.surroundings, log, network=True)["env"]
    assert env["HF_TOKEN"] == "hf_mine" and env["HF_ENDPOINT"] == os.environ["HF_ENDPOINT"]
    assert "HF_HUB_OFFLINE" not in env and "MY_SETTING" not in env


def test_a_worker_runs_on_the_cores_it_is_given_in_a_group_of_its_own(log: Path) -> None:
    last = max(os.sched_getaffinity(0))
    said = call(jobs.surroundings, log, cores=(last,))
    assert said["cores"] == [last] and said["group"] == said["pid"]


def test_threads_sleep_while_they_wait_unless_they_are_timed(log: Path) -> None:
    assert call(jobs.surroundings, log)["env"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "OMP_WAIT_POLICY" not in call(jobs.surroundings, log, timed=True)["env"]


def test_what_is_timed_goes_first_where_the_system_allows_it(log: Path) -> None:
    usual, timed = (call(jobs.surroundings, log, timed=one)["niceness"] for one in (False, True))
    assert usual == os.nice(0) and timed == (-20 if os.geteuid() == 0 else usual)


PARENT = """
import sys, time
from pathlib import Path
from tests import jobs
from workbench import environment, isolate

def main():
    isolate.PRELOADED = ("decimal",)
    limits = isolate.Limits(seconds=60, preload=sys.argv[2] == "forked")
    worker = isolate.start(jobs.talk, {}, limits, Path(sys.argv[1]))
    print(worker.pid, worker.answer(), *(one.process.pid for one in isolate._servers.values()), flush=True)
    time.sleep(600)

main()
"""


def test_a_worker_ends_when_its_parent_is_killed(log: Path, begun: str, in_background: Any) -> None:
    parent = in_background(sys.executable, "-c", PARENT, str(log), begun)
    pid, _, *servers = parent.stdout.readline().split()
    pids = [int(one) for one in (pid, *servers)]
    assert all(map(lives, pids)) and len(servers) == (begun == "forked")
    parent.send_signal(signal.SIGKILL)
    assert gone(*pids)


# ---- where it begins ----------------------------------------------------------------------------


def test_only_what_is_asked_for_is_forked_and_nothing_that_is_timed_or_reaches_the_network(log: Path) -> None:
    begins = [
        call(jobs.surroundings, log, preload=True, **more)["parent"]
        for more in ({}, {}, {"timed": True}, {"network": True})
    ]
    one, other, timed, fetcher = begins
    assert one == other != os.getpid() and timed == fetcher == os.getpid()


def test_imports_are_done_only_once_a_worker_has_begun_where_they_are(log: Path) -> None:
    limits = isolate.Limits(preload=True)
    isolate.close_servers()
    assert not isolate.preloaded(limits)
    isolate.preload(limits)
    assert not isolate.preloaded(limits), "they go on"
    server = call(jobs.surroundings, log, preload=True)["parent"]
    assert isolate.preloaded(limits) and not isolate.preloaded(isolate.Limits(preload=True, network=True))
    os.kill(server, signal.SIGKILL)
    assert gone(server) and not isolate.preloaded(limits)


def test_a_server_that_ended_is_replaced_and_one_that_cannot_import_is_done_without(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = call(jobs.surroundings, log, preload=True)["parent"]
    assert first != os.getpid()
    os.kill(first, signal.SIGKILL)
    assert call(jobs.surroundings, log, preload=True)["parent"] not in (first, os.getpid())
    monkeypatch.setattr(isolate, "PRELOADED", ("there_is_no_such_module",))
    isolate.close_servers()
    assert call(jobs.surroundings, log, preload=True)["parent"] == os.getpid()


def test_a_server_ends_by_itself_when_nobody_asks(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "SERVER", isolate.SERVER.replace("forks.serve", "forks.IDLE = 0.3; forks.serve"))
    assert gone(call(jobs.surroundings, log, preload=True)["parent"])


def test_every_worker_error_can_be_told_to_people(log: Path) -> None:
    for function in (jobs.fail, jobs.die, jobs.leave):
        error = failed(function, log)
        assert isinstance(error, WorkbenchError) and error.what.endswith((".", "fit", "3"))
