//! Every behaviour that a user can see, tried on real repositories with the real `git`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by a panic too"
)]

mod support;
mod tidy;

#[cfg(feature = "rhai")]
mod differential;
#[cfg(feature = "rhai")]
mod differential_cases;
#[cfg(feature = "rhai")]
mod differential_ways;
mod engine_attempts;
mod engine_blame;
mod engine_builder;
mod engine_builds;
mod engine_cancel;
mod engine_env;
mod engine_events;
mod engine_executor;
mod engine_hooks;
mod engine_paths;
mod engine_pipeline;
mod engine_records;
mod engine_repository;
mod engine_requests;
mod engine_run;
mod engine_selection;
mod engine_stage;
mod engine_stop;
mod engine_turns;
mod examples;
mod globs;
mod masking;
#[cfg(feature = "rhai")]
mod outcome_model;

#[cfg(feature = "cli")]
mod admin_clone;
#[cfg(feature = "cli")]
mod admin_head;
#[cfg(feature = "cli")]
mod admin_kept;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod admin_mounts;
#[cfg(feature = "cli")]
mod admin_prune;
#[cfg(feature = "cli")]
mod admin_refs;
#[cfg(feature = "cli")]
mod admin_settings;
#[cfg(feature = "cli")]
mod admin_status;
#[cfg(feature = "cli")]
mod ancestor;
#[cfg(all(feature = "cli", feature = "rhai"))]
mod artifacts;
#[cfg(feature = "cli")]
mod builds_owner;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod cli_cancel;
#[cfg(feature = "cli")]
mod cli_check;
#[cfg(feature = "cli")]
mod cli_program;
#[cfg(feature = "cli")]
mod cli_remote;
#[cfg(feature = "cli")]
mod cli_results;
#[cfg(feature = "cli")]
mod cli_run;
#[cfg(feature = "cli")]
mod cli_usage;
mod config_conditions;
mod config_when;
#[cfg(feature = "rhai")]
mod convert_conditions;
#[cfg(feature = "cli")]
mod crash_disk;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod crash_kill;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod crash_output;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod crash_signals;
#[cfg(feature = "cli")]
mod crash_writers;
#[cfg(feature = "cli")]
mod deploy_approvers;
#[cfg(feature = "cli")]
mod deploy_build;
#[cfg(feature = "cli")]
mod deploy_choice;
#[cfg(feature = "cli")]
mod deploy_cli;
mod deploy_engine;
#[cfg(feature = "cli")]
mod deploy_examples;
#[cfg(feature = "cli")]
mod deploy_exchange;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod deploy_kill;
#[cfg(feature = "cli")]
mod deploy_push;
#[cfg(feature = "cli")]
mod exit_codes;
#[cfg(feature = "cli")]
mod green_model;
#[cfg(feature = "cli")]
mod guide;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod push_hangup;
#[cfg(feature = "cli")]
mod push_hooks;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod push_processes;
#[cfg(feature = "cli")]
mod push_refs;
#[cfg(feature = "cli")]
mod push_server;
#[cfg(feature = "cli")]
mod push_skip;
#[cfg(feature = "cli")]
mod push_together;
#[cfg(feature = "cli")]
mod retest;
#[cfg(feature = "cli")]
mod run_step;
#[cfg(not(feature = "rhai"))]
mod script_absent;
#[cfg(feature = "rhai")]
mod script_api;
#[cfg(feature = "rhai")]
mod script_convert;
#[cfg(feature = "rhai")]
mod script_examples;
#[cfg(all(feature = "cli", feature = "rhai"))]
mod script_failures;
#[cfg(feature = "rhai")]
mod script_host;
#[cfg(feature = "rhai")]
mod script_outcome;
#[cfg(feature = "rhai")]
mod script_plan;
#[cfg(all(feature = "cli", feature = "rhai"))]
mod script_records;
#[cfg(feature = "rhai")]
mod script_run;
#[cfg(feature = "rhai")]
mod script_testing;
#[cfg(feature = "rhai")]
mod script_unknown;
#[cfg(feature = "rhai")]
mod script_untrusted;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod shared_accounts;
#[cfg(feature = "cli")]
mod ssh_server;
#[cfg(feature = "cli")]
mod story_ssh;
