# frozen_string_literal: true

# Written by generate.rb from include/tinyci.json.

module TinyCI
  # What the C header declares.
  module Header
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

    # The names of numbers, by the groups that they are chosen from.
    NAMES = {
      DEFINITIONS: {
        1 => :json,
        2 => :markdown,
        3 => :rhai
      }.freeze,
      EFFECT: {
        1 => :pure,
        2 => :control,
        3 => :external
      }.freeze,
      EVENT: {
        1 => :planned,
        2 => :job_started,
        3 => :exported,
        4 => :step_started,
        5 => :output,
        6 => :step_finished,
        7 => :job_finished,
        8 => :finished,
        9 => :warning,
        10 => :waiting,
        11 => :deploy_started,
        12 => :deploy_finished,
        32 => :hook,
        33 => :function,
        34 => :secret,
        35 => :approval,
        36 => :command
      }.freeze,
      FORMAT: {
        1 => :yaml,
        2 => :rhai
      }.freeze,
      OUTCOME: {
        1 => :success,
        2 => :failure,
        3 => :timed_out,
        4 => :skipped,
        5 => :error,
        6 => :canceled,
        7 => :awaiting_approval,
        8 => :running,
        9 => :interrupted,
        10 => :retired
      }.freeze,
      STREAM: {
        1 => :stdout,
        2 => :stderr
      }.freeze,
      VALUE: {
        1 => :null,
        2 => :bool,
        3 => :int,
        4 => :float,
        5 => :string,
        6 => :array,
        7 => :map
      }.freeze
    }.freeze

    # Of each function what it returns, and then what it takes.
    FUNCTIONS = {
      tinyci_version: %i[text],
      tinyci_version_number: %i[uint32],
      tinyci_abi: %i[uint32],
      tinyci_has_feature: %i[int32 text],
      tinyci_code_name: %i[text status],
      tinyci_error_code: %i[status handle],
      tinyci_error_message: %i[text handle],
      tinyci_error_cause: %i[text handle size],
      tinyci_error_file: %i[text handle],
      tinyci_error_line: %i[uint32 handle],
      tinyci_error_column: %i[uint32 handle],
      tinyci_error_host_code: %i[int32 handle],
      tinyci_error_free: %i[void handle],
      tinyci_string_free: %i[void handle],
      tinyci_options_new: %i[handle],
      tinyci_options_add_ref: %i[status handle text error],
      tinyci_options_set_jobs: %i[status handle uint32 error],
      tinyci_options_set_job_timeout_ms: %i[status handle int64 error],
      tinyci_options_set_builds_dir: %i[status handle text error],
      tinyci_options_set_log_limit: %i[status handle uint64 error],
      tinyci_options_set_setting: %i[status handle text text error],
      tinyci_options_set_env: %i[status handle text text error],
      tinyci_options_set_var: %i[status handle text text error],
      tinyci_options_set_by: %i[status handle text text error],
      tinyci_options_add_hook: %i[status handle text error],
      tinyci_options_add_function: %i[status handle text uint32 uint32 int32 text error],
      tinyci_options_set_handlers: %i[status handle uint32 error],
      tinyci_options_free: %i[void handle],
      tinyci_engine_open: %i[status text handle out error],
      tinyci_engine_discover: %i[status text handle out error],
      tinyci_engine_path: %i[text engine],
      tinyci_engine_is_bare: %i[int32 engine],
      tinyci_engine_warnings: %i[status engine out error],
      tinyci_remote_url: %i[status engine text out error],
      tinyci_engine_free: %i[void handle],
      tinyci_selection_new: %i[handle],
      tinyci_selection_add_revision: %i[status handle text error],
      tinyci_selection_add_range: %i[status handle text error],
      tinyci_selection_add_update: %i[status handle text text text error],
      tinyci_selection_add_hook_lines: %i[status handle text size error],
      tinyci_selection_add_push_option: %i[status handle text error],
      tinyci_selection_set_wait_ms: %i[status handle int64 error],
      tinyci_selection_set_retry: %i[status handle int32 error],
      tinyci_selection_set_replace_live: %i[status handle int32 error],
      tinyci_selection_set_all_history: %i[status handle int32 error],
      tinyci_selection_set_pipeline: %i[status handle handle error],
      tinyci_selection_add_assumption: %i[status handle text text error],
      tinyci_selection_free: %i[void handle],
      tinyci_pending_commits: %i[status engine handle out error],
      tinyci_resolve: %i[status engine text out error],
      tinyci_commits_load: %i[status engine text out error],
      tinyci_commits_next: %i[status handle out error],
      tinyci_commit_id: %i[text handle],
      tinyci_commit_tree: %i[text handle],
      tinyci_commit_parent_count: %i[size handle],
      tinyci_commit_parent: %i[text handle size],
      tinyci_commit_author: %i[text handle],
      tinyci_commit_author_bytes: %i[bytes handle out],
      tinyci_commit_branch: %i[text handle],
      tinyci_commit_branch_bytes: %i[bytes handle out],
      tinyci_commit_subject: %i[text handle],
      tinyci_commit_subject_bytes: %i[bytes handle out],
      tinyci_commit_message: %i[text handle],
      tinyci_commit_message_bytes: %i[bytes handle out],
      tinyci_commit_json: %i[text handle],
      tinyci_commit_time: %i[int64 handle],
      tinyci_commits_free: %i[void handle],
      tinyci_export_commit: %i[status engine text text handle error],
      tinyci_pipeline_load: %i[status engine text out error],
      tinyci_pipeline_parse: %i[status engine text size int32 text out error],
      tinyci_pipeline_step_count: %i[size handle],
      tinyci_pipeline_step_name: %i[text handle size],
      tinyci_pipeline_to_rhai: %i[status handle out error],
      tinyci_pipeline_free: %i[void handle],
      tinyci_vars_new: %i[handle],
      tinyci_vars_set: %i[status handle text text error],
      tinyci_vars_free: %i[void handle],
      tinyci_interpolate: %i[status text handle out error],
      tinyci_cancel_new: %i[handle],
      tinyci_cancel_child: %i[handle handle],
      tinyci_cancel_trigger: %i[void handle],
      tinyci_cancel_level: %i[int32 handle],
      tinyci_cancel_free: %i[void handle],
      tinyci_run_start: %i[status engine handle handle out error],
      tinyci_steps_start: %i[status engine text text uint32 handle out error],
      tinyci_follow_start: %i[status engine handle handle out error],
      tinyci_log_start: %i[status engine text int64 uint32 handle out error],
      tinyci_run_next: %i[status handle int32 out error],
      tinyci_run_fd: %i[int32 handle],
      tinyci_run_records: %i[status handle out error],
      tinyci_run_summary_json: %i[status handle out error],
      tinyci_run_deployment_json: %i[status handle out error],
      tinyci_run_deploy_outcome: %i[int32 handle],
      tinyci_run_free: %i[void handle],
      tinyci_event_kind: %i[int32 handle],
      tinyci_event_sequence: %i[uint64 handle],
      tinyci_event_time_ms: %i[uint64 handle],
      tinyci_event_commit: %i[text handle],
      tinyci_event_job_id: %i[text handle],
      tinyci_event_step: %i[text handle],
      tinyci_event_label: %i[text handle],
      tinyci_event_data: %i[bytes handle out],
      tinyci_event_stream: %i[int32 handle],
      tinyci_event_outcome: %i[int32 handle],
      tinyci_event_record: %i[handle handle],
      tinyci_event_log_lines: %i[text handle],
      tinyci_event_json: %i[text handle],
      tinyci_event_take_request: %i[handle handle],
      tinyci_request_name: %i[text handle],
      tinyci_request_commit: %i[text handle],
      tinyci_request_job_id: %i[text handle],
      tinyci_request_step: %i[text handle],
      tinyci_request_label: %i[text handle],
      tinyci_request_question: %i[text handle],
      tinyci_request_export_dir: %i[text handle],
      tinyci_request_canceled: %i[int32 handle],
      tinyci_request_arg_count: %i[size handle],
      tinyci_request_arg_kind: %i[int32 handle size],
      tinyci_request_arg_int: %i[int64 handle size],
      tinyci_request_arg_float: %i[double handle size],
      tinyci_request_arg_string: %i[text handle size],
      tinyci_request_arg_json: %i[text handle size],
      tinyci_request_command_json: %i[text handle],
      tinyci_request_set_var: %i[status handle text text error],
      tinyci_request_ok: %i[status handle error],
      tinyci_request_skip: %i[status handle text error],
      tinyci_request_fail: %i[status handle text int32 error],
      tinyci_request_abort: %i[status handle text int32 error],
      tinyci_request_return_null: %i[status handle error],
      tinyci_request_return_bool: %i[status handle int32 error],
      tinyci_request_return_int: %i[status handle int64 error],
      tinyci_request_return_float: %i[status handle double error],
      tinyci_request_return_string: %i[status handle text error],
      tinyci_request_return_bytes: %i[status handle bytes size error],
      tinyci_request_return_json: %i[status handle text error],
      tinyci_request_command_output: %i[status handle int32 bytes size error],
      tinyci_request_command_finish: %i[status handle int32 int32 error],
      tinyci_request_free: %i[void handle],
      tinyci_outcome_name: %i[text int32],
      tinyci_record_commit: %i[text handle],
      tinyci_record_branch: %i[text handle],
      tinyci_record_branch_bytes: %i[bytes handle out],
      tinyci_record_outcome: %i[int32 handle],
      tinyci_record_passed: %i[int32 handle],
      tinyci_record_reason: %i[text handle],
      tinyci_record_started_ms: %i[int64 handle],
      tinyci_record_duration_ms: %i[uint64 handle],
      tinyci_record_json: %i[text handle],
      tinyci_record_step_count: %i[size handle],
      tinyci_record_step_name: %i[text handle size],
      tinyci_record_step_outcome: %i[int32 handle size],
      tinyci_record_step_exit_code: %i[int32 handle size],
      tinyci_record_step_error: %i[text handle size],
      tinyci_records_query: %i[status engine handle int32 size out error],
      tinyci_records_next: %i[status handle out error],
      tinyci_records_free: %i[void handle],
      tinyci_plan_json: %i[status engine handle out error],
      tinyci_check_json: %i[status engine text out error],
      tinyci_check_text_json: %i[status engine text text size int32 text out error],
      tinyci_definitions: %i[status engine int32 out error],
      tinyci_test_pipeline_json: %i[status engine text text text uint32 out error],
      tinyci_results_json: %i[status engine handle int32 size uint32 out error],
      tinyci_deployments_json: %i[status engine text size out out error],
      tinyci_deployed_json: %i[status engine text out error],
      tinyci_unrecognized_lines: %i[status engine text out error],
      tinyci_status_json: %i[status engine out error],
      tinyci_settings_json: %i[status engine out error],
      tinyci_deploy_request_new: %i[handle],
      tinyci_deploy_request_set_revision: %i[status handle text error],
      tinyci_deploy_request_set_rollback: %i[status handle int32 error],
      tinyci_deploy_request_set_force: %i[status handle int32 error],
      tinyci_deploy_request_set_bare: %i[status handle int32 error],
      tinyci_deploy_request_add_assumption: %i[status handle text text error],
      tinyci_deploy_request_set_by: %i[status handle text text error],
      tinyci_deploy_request_set_plan: %i[status handle text error],
      tinyci_deploy_request_free: %i[void handle],
      tinyci_deploy_plan_json: %i[status engine text handle out error],
      tinyci_deploy_start: %i[status engine text handle handle out error],
      tinyci_rollback_start: %i[status engine text handle out error],
      tinyci_approve: %i[status engine text text out error],
      tinyci_unlock_deployments: %i[status engine text text error],
      tinyci_retire: %i[status engine text error],
      tinyci_install: %i[status engine text uint32 out error],
      tinyci_uninstall: %i[status engine out error],
      tinyci_compact: %i[status engine size text handle out error],
      tinyci_forget: %i[status engine text error],
      tinyci_job_cancel: %i[status engine text text text text uint32 int64 handle out error],
      tinyci_skip: %i[status engine text text text text handle out error],
      tinyci_prune: %i[status engine int64 int64 int64 uint32 handle out error],
      tinyci_forget_all: %i[status engine out error],
      tinyci_setup_remote: %i[status engine text out error],
      tinyci_undo_setup_remote: %i[status engine text out error],
      tinyci_merge_results: %i[status engine text error],
      tinyci_artifacts_json: %i[status engine text text text out error],
      tinyci_artifacts_copy: %i[status engine text text text text uint32 handle out error]
    }.freeze
  end
end
