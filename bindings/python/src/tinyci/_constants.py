"""The numbers of the C header. Written by generate.py."""

VERSION = "0.1.0"
VERSION_MAJOR = 0
VERSION_MINOR = 1
VERSION_PATCH = 0
VERSION_NUMBER = 1000
ABI = 1
OK = 0
DONE = 1
AGAIN = 2
INVALID_ARG = -1
NOT_FOUND = -2
NOT_A_REPO = -3
CONFIG = -4
SCRIPT = -5
INTERPOLATE = -6
GIT = -7
IO = -8
SPAWN = -9
CHILD_LOST = -10
CANCELED = -11
HOST_ABORT = -12
BUSY = -13
UNSUPPORTED = -14
WRONG_PROCESS = -15
PANIC = -16
HOST_FAULT = -17
NEWER_FORMAT = -18
EFFECT_PURE = 1
EFFECT_CONTROL = 2
EFFECT_EXTERNAL = 3
HANDLER_SECRET = 1
HANDLER_APPROVAL = 2
HANDLER_EXECUTOR = 4
FORMAT_YAML = 1
FORMAT_RHAI = 2
STEPS_KEEP = 1
LOG_FOLLOW = 1
EVENT_PLANNED = 1
EVENT_JOB_STARTED = 2
EVENT_EXPORTED = 3
EVENT_STEP_STARTED = 4
EVENT_OUTPUT = 5
EVENT_STEP_FINISHED = 6
EVENT_JOB_FINISHED = 7
EVENT_FINISHED = 8
EVENT_WARNING = 9
EVENT_WAITING = 10
EVENT_DEPLOY_STARTED = 11
EVENT_DEPLOY_FINISHED = 12
EVENT_HOOK = 32
EVENT_FUNCTION = 33
EVENT_SECRET = 34
EVENT_APPROVAL = 35
EVENT_COMMAND = 36
STREAM_STDOUT = 1
STREAM_STDERR = 2
VALUE_NULL = 1
VALUE_BOOL = 2
VALUE_INT = 3
VALUE_FLOAT = 4
VALUE_STRING = 5
VALUE_ARRAY = 6
VALUE_MAP = 7
OUTCOME_SUCCESS = 1
OUTCOME_FAILURE = 2
OUTCOME_TIMED_OUT = 3
OUTCOME_SKIPPED = 4
OUTCOME_ERROR = 5
OUTCOME_CANCELED = 6
OUTCOME_AWAITING_APPROVAL = 7
OUTCOME_RUNNING = 8
OUTCOME_INTERRUPTED = 9
OUTCOME_RETIRED = 10
DEFINITIONS_JSON = 1
DEFINITIONS_MARKDOWN = 2
DEFINITIONS_RHAI = 3
TEST_COVERAGE = 1
RESULTS_ALL_ATTEMPTS = 1
INSTALL_HIDE_REFS = 1
INSTALL_SHARED_HOOKS = 2
INSTALL_ADOPT_BUILDS = 4
JOB_CANCEL_KILL = 1
PRUNE_DRY_RUN = 1
ARTIFACTS_FORCE = 1

#: The names of numbers, by the groups that they are chosen from.
NAMES: dict[str, dict[int, str]] = {
    "definitions": {
        1: "json",
        2: "markdown",
        3: "rhai",
    },
    "effect": {
        1: "pure",
        2: "control",
        3: "external",
    },
    "event": {
        1: "planned",
        2: "job_started",
        3: "exported",
        4: "step_started",
        5: "output",
        6: "step_finished",
        7: "job_finished",
        8: "finished",
        9: "warning",
        10: "waiting",
        11: "deploy_started",
        12: "deploy_finished",
        32: "hook",
        33: "function",
        34: "secret",
        35: "approval",
        36: "command",
    },
    "format": {
        1: "yaml",
        2: "rhai",
    },
    "outcome": {
        1: "success",
        2: "failure",
        3: "timed_out",
        4: "skipped",
        5: "error",
        6: "canceled",
        7: "awaiting_approval",
        8: "running",
        9: "interrupted",
        10: "retired",
    },
    "stream": {
        1: "stdout",
        2: "stderr",
    },
    "value": {
        1: "null",
        2: "bool",
        3: "int",
        4: "float",
        5: "string",
        6: "array",
        7: "map",
    },
}
