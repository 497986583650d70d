# frozen_string_literal: true

require "json"
require_relative "commit"
require_relative "deploy_request"
require_relative "deploy_run"
require_relative "options"
require_relative "pipeline"
require_relative "run"
require_relative "selection"

module TinyCI
  # The continuous integration of one repository. Threads can share an engine.
  #
  # Methods that select commits take revisions and the keywords of Selection.
  class Engine
    # See TinyCI.open and TinyCI.discover.
    def initialize(path, handlers, options, function = :tinyci_engine_open)
      address = Options.with(handlers, **options) do |set|
        Native.make(function, Native.utf8(path), set)
      end
      @handlers = handlers
      @handle = Handle.new("engine", address, :tinyci_engine_free)
    end

    # Returns the directory that contains `builds/`.
    def path = ask(:value, :tinyci_engine_path)

    # Returns true if the repository has no working tree.
    def bare? = ask(:value, :tinyci_engine_is_bare) == 1

    # Returns messages for a person: unknown settings, a repository that was moved, paths that
    # commands cannot use.
    def warnings = lines(ask(:text, :tinyci_engine_warnings))

    # Returns the URL that pushes to a remote go to.
    def remote_url(remote = "origin") = ask(:text, :tinyci_remote_url, Native.utf8(remote))

    # Returns the full id of the commit that a revision names.
    def resolve(revision) = ask(:text, :tinyci_resolve, Native.utf8(revision))

    # Returns the commit that a revision names.
    def commit(revision) = commits(revision).first

    # Returns the commits that revisions name, in their order. Much faster than a call for each.
    def commits(*revisions)
      commits = ask(:make, :tinyci_commits_load, Native.utf8(revisions.join("\n")))
      Native.list(:commits, commits) { |commit| Commit.new(commit) }
    end

    # Reads the log of a commit's last job, or of all runs without a revision. Its lines come as
    # output. `lines` is the number of last lines to begin with, nil for all. `follow` continues
    # with new lines until the commit's job ends or the run is canceled. Runs no commands, and has
    # no records.
    def log(revision = nil, lines: nil, follow: false, cancel: CancelToken.new, &block)
      flags = follow ? Header::LOG_FOLLOW : 0
      begin_run(Run, cancel, block) do
        ask(:make, :tinyci_log_start, Native.utf8(revision), lines || -1, flags, cancel.address)
      end
    end

    # Runs the pending commits. With a block, passes it each event as Run#each does, and returns the
    # run after its end. Without a block, returns the run, which you must read.
    def run(*revisions, cancel: CancelToken.new, **selection, &block)
      start(:tinyci_run_start, revisions, cancel, selection, &block)
    end

    # Follows a run of another process or thread; its log comes as output. Runs no commands.
    def follow(*revisions, cancel: CancelToken.new, **selection, &block)
      start(:tinyci_follow_start, revisions, cancel, selection, &block)
    end

    # Runs steps of one commit in a separate export directory, until one fails. Each command comes
    # as output before it runs. Nothing is recorded; the run's only record has the outcomes of the
    # steps. `keep` keeps the export directory for a day.
    def run_step(revision, *steps, keep: false, cancel: CancelToken.new, &block)
      flags = keep ? Header::STEPS_KEEP : 0
      begin_run(Run, cancel, block) do
        names = Native.utf8(steps.join("\n"))
        ask(:make, :tinyci_steps_start, Native.utf8(revision), names, flags, cancel.address)
      end
    end

    # Returns the pending commits, oldest first.
    def pending_commits(*revisions, **selection)
      commits = selecting(revisions, selection) do |selected|
        ask(:make, :tinyci_pending_commits, selected)
      end
      Native.list(:commits, commits) { |commit| Commit.new(commit) }
    end

    # Returns the records behind verdicts, newest commit first: of all commits or the selected ones,
    # with one outcome or any. `limit` is their maximum number, 0 for no limit.
    def records(*revisions, outcome: nil, limit: 0, **selection)
      number = Outcome.number(outcome)
      records = selecting(revisions, selection) do |selected|
        ask(:make, :tinyci_records_query, selected, number, Native.unsigned(limit, 64))
      end
      Native.list(:records, records) { |record| Record.new(record) }
    end

    # Writes the files of a commit to a directory, which must be empty or not exist.
    def export(revision, dir, cancel: nil)
      target = Native.absolute(dir)
      stoppable(cancel) do |token|
        ask(:call, :tinyci_export_commit, Native.utf8(revision), target, token)
      end
      nil
    end

    # Lists the files that a job kept, as `tinyci artifacts --json` does: all, or those that match
    # paths, directories and globs. Without a `job_id`, it is the commit's newest job that kept
    # files.
    def artifacts(revision, *paths, job_id: nil)
      JSON.parse(ask(:text, :tinyci_artifacts_json, *kept(revision, job_id, paths)))
    end

    # Copies such files to a directory, and checks each against the record. With `force` it replaces
    # existing files; else they are an error. Returns the list of the copied files.
    def copy_artifacts(revision, dir, *paths, job_id: nil, force: false, cancel: nil)
      target, flags = Native.absolute(dir), force ? Header::ARTIFACTS_FORCE : 0
      stoppable(cancel) do |token|
        words = [*kept(revision, job_id, paths), target, flags, token]
        JSON.parse(ask(:text, :tinyci_artifacts_copy, *words))
      end
    end

    # Loads the pipeline of a commit.
    def pipeline(revision)
      Pipeline.new(ask(:make, :tinyci_pipeline_load, Native.utf8(revision)))
    end

    # Parses a pipeline that is not in a commit. `format` is :yaml or :rhai.
    def parse(text, format: :yaml, name: "pipeline")
      Pipeline.new(ask(:make, :tinyci_pipeline_parse, *config(text, format, name)))
    end

    # Returns what a run would do, as `tinyci plan --json` does.
    def plan(*revisions, **selection)
      JSON.parse(selecting(revisions, selection) do |selected|
        ask(:text, :tinyci_plan_json, selected)
      end)
    end

    # Checks the config of a commit, as `tinyci check --commit REV --json` does.
    def check(revision) = JSON.parse(ask(:text, :tinyci_check_json, Native.utf8(revision)))

    # Checks a config that is not committed. A script imports files from the commit of the revision,
    # or without one from the engine's path.
    def check_text(text, format: :yaml, name: ".tinyci.yml", revision: nil)
      words = config(text, format, name)
      JSON.parse(ask(:text, :tinyci_check_text_json, Native.utf8(revision), *words))
    end

    # Returns the script API reference with this engine's functions, as `tinyci defs` does. `format`
    # is :json, :markdown or :rhai.
    def definitions(format = :markdown)
      ask(:text, :tinyci_definitions, Native.number(:DEFINITIONS, format))
    end

    # Runs the tests of a script, as `tinyci test-pipeline --json` does. Runs no commands. The
    # script is that of a revision, or else in `dir`; default: the path that the engine was opened
    # with. `filters` are substrings of test names; `coverage` reports which lines the tests run.
    def test_pipeline(revision = nil, dir: nil, filters: [], coverage: false)
      words = [Native.utf8(revision), dir && Native.absolute(dir),
               Native.utf8(Array(filters).join("\n")), coverage ? Header::TEST_COVERAGE : 0]
      JSON.parse(ask(:text, :tinyci_test_pipeline_json, *words))
    end

    # Returns the lines in a commit's records that tinyci cannot read: damaged or forged lines, or
    # lines of another program.
    def unrecognized_lines(revision)
      lines(ask(:text, :tinyci_unrecognized_lines, Native.utf8(revision)))
    end

    # Returns the deployment that is live in an environment, or nil.
    def deployed(environment = nil)
      found = ask(:text, :tinyci_deployed_json, Native.utf8(environment))
      JSON.parse(found) unless found.empty?
    end

    # Returns the results of commits, newest first: the lines of `tinyci results --json`.
    def results(*revisions, outcome: nil, limit: 0, all_attempts: false, **selection)
      number = Outcome.number(outcome)
      flags = all_attempts ? Header::RESULTS_ALL_ATTEMPTS : 0
      lines = selecting(revisions, selection) do |selected|
        ask(:text, :tinyci_results_json, selected, number, Native.unsigned(limit, 64), flags)
      end
      lines.each_line.map { |line| JSON.parse(line) }
    end

    # Installs the git hook that tests pushed commits. Returns messages for a person.
    def install(command = nil, hide_refs: false, shared_hooks: false, adopt_builds: false)
      flags = (hide_refs ? Header::INSTALL_HIDE_REFS : 0) |
              (shared_hooks ? Header::INSTALL_SHARED_HOOKS : 0) |
              (adopt_builds ? Header::INSTALL_ADOPT_BUILDS : 0)
      lines(ask(:text, :tinyci_install, Native.utf8(command), flags))
    end

    # Removes the git hook. Returns messages for a person.
    def uninstall = lines(ask(:text, :tinyci_uninstall))

    # Packs old builds. Leaves the newest `keep` builds, and those that `keep_builds` names: names
    # of builds, paths of or in them, links to them, commit ids. Returns what was packed and what
    # was not, as `tinyci compact --json` does.
    def compact(keep: 1, keep_builds: [], cancel: nil)
      # A name without a slash is that of a build, whatever the working directory is.
      named = Array(keep_builds).map { |build| Native.utf8(build) }
      named = named.map { |it| it.include?("/") ? Native.absolute(it) : it }.join("\n")
      stoppable(cancel) do |token|
        JSON.parse(ask(:text, :tinyci_compact, Native.unsigned(keep, 64), named, token))
      end
    end

    # Deletes a commit's verdict, so that it is tested again. Returns false if it had none.
    def forget(revision)
      ask(:call, :tinyci_forget, Native.utf8(revision)) == Header::OK
    end

    # Deletes the verdicts and records of all commits, and accepts the loss of refs that other
    # programs deleted, which runs otherwise restore. Returns the refs, as `tinyci results
    # --forget-all --json` does.
    def forget_all = JSON.parse(ask(:text, :tinyci_forget_all))

    # Cancels the job of a commit, or the whole run without a revision, in any process, and waits
    # until it has ended. `wait` is true for no limit, a number of seconds, or false; `cancel` ends
    # the wait. `by` is a name and an address. If this process owns the run, another thread must
    # keep reading it. Returns what `tinyci cancel --json` prints.
    def cancel(revision = nil, reason: nil, by: nil, kill: false, wait: true, cancel: nil)
      words = [revision, reason, *(by || [nil, nil])].map { |word| Native.utf8(word) }
      flags = kill ? Header::JOB_CANCEL_KILL : 0
      wait = wait == true ? -1 : Native.milliseconds(wait || 0)
      JSON.parse(stoppable(cancel) { |it| ask(:text, :tinyci_job_cancel, *words, flags, wait, it) })
    end

    # Gives a commit the verdict `skipped`, so that it is not tested. An active job of it is
    # canceled first. Returns the record, as `tinyci skip --json` prints it.
    def skip(revision, reason: nil, by: nil, cancel: nil)
      words = [revision, reason, *(by || [nil, nil])].map { |word| Native.utf8(word) }
      JSON.parse(stoppable(cancel) { |token| ask(:text, :tinyci_skip, *words, token) })
    end

    # Removes old builds: all but the `keep` that ran last, those that last ran more than `max_age`
    # seconds ago, the oldest until the others fit into `max_bytes`. Without a rule, the settings
    # apply. Returns what was removed, or would be with `dry_run`, as `tinyci prune --json` does.
    def prune(keep: nil, max_age: nil, max_bytes: nil, dry_run: false, cancel: nil)
      rules = [keep, max_age && Native.milliseconds(max_age), max_bytes].map { |rule| rule || -1 }
      flags = dry_run ? Header::PRUNE_DRY_RUN : 0
      JSON.parse(stoppable(cancel) { |token| ask(:text, :tinyci_prune, *rules, flags, token) })
    end

    # Deploys a commit: runs the `deploy` step of its config. See DeployRequest for the keywords.
    # Reads the run as `run` does, and returns a DeployRun. There is no confirmation: show a plan
    # first, and pass it.
    def deploy(environment = nil, cancel: CancelToken.new, **request, &block)
      begin_run(DeployRun, cancel, block) do
        DeployRequest.with(**request) do |asked|
          ask(:make, :tinyci_deploy_start, Native.utf8(environment), asked, cancel.address)
        end
      end
    end

    # Deploys what was deployed before the current deployment.
    def rollback(environment = nil, **request, &block)
      deploy(environment, rollback: true, **request, &block)
    end

    # Returns what a deployment would do, as `tinyci deploy --dry-run --json` does.
    def deploy_plan(environment = nil, **request)
      JSON.parse(DeployRequest.with(**request) do |asked|
        ask(:text, :tinyci_deploy_plan_json, Native.utf8(environment), asked)
      end)
    end

    # Returns deployments, newest first: the lines of `tinyci deployments --json`. Passes the block
    # messages for a person about unreadable entries.
    def deployments(environment = nil, limit: 0, &warned)
      warnings = Native.place
      lines = ask(:text, :tinyci_deployments_json, Native.utf8(environment),
                  Native.unsigned(limit, 64), warnings)
      warnings = Native.taken_text(Native.stored(warnings))
      warnings.each_line(chomp: true, &warned) if warned
      lines.each_line.map { |line| JSON.parse(line) }
    end

    # Approves the next deployment of a commit. The approver is git's user.name and user.email.
    # Returns what `tinyci approve --json` prints.
    def approve(revision, environment = nil)
      JSON.parse(ask(:text, :tinyci_approve, Native.utf8(environment), Native.utf8(revision)))
    end

    # Allows deployments again after an interrupted one, once a person has checked the environment.
    # The reason is recorded. Returns false if there was nothing to unlock.
    def unlock_deployments(reason, environment = nil)
      code = ask(:call, :tinyci_unlock_deployments, Native.utf8(environment), Native.utf8(reason))
      code == Header::OK
    end

    # Records that an environment has no deployment now, so that its builds are no longer protected.
    # Returns false if that was recorded already.
    def retire(environment = nil)
      ask(:call, :tinyci_retire, Native.utf8(environment)) == Header::OK
    end

    # Returns what is running, pending and deployed, as `tinyci status --json` does.
    def status = JSON.parse(ask(:text, :tinyci_status_json))

    # Returns all settings and their values: the lines of `tinyci settings --json`.
    def settings = ask(:text, :tinyci_settings_json).each_line.map { |line| JSON.parse(line) }

    # Configures the repository so that `git fetch` also fetches a remote's verdicts, records and
    # deployments. Returns the added lines of git's configuration.
    def setup_remote(remote = nil) = lines(ask(:text, :tinyci_setup_remote, Native.utf8(remote)))

    # Removes these lines and returns them.
    def undo_setup_remote(remote = nil)
      lines(ask(:text, :tinyci_undo_setup_remote, Native.utf8(remote)))
    end

    # Merges the verdicts and records that were last fetched from a remote into the repository's
    # own. Returns false if nothing was new.
    def merge_results(remote = nil)
      ask(:call, :tinyci_merge_results, Native.utf8(remote)) == Header::OK
    end

    # Frees the engine. Its runs continue.
    def close = @handle.close

    def closed? = @handle.closed?

    def inspect = "#<#{self.class}#{closed? ? " closed" : " #{path}"}>"

    private

    # Calls a function whose first argument is the engine.
    def ask(how, function, *arguments)
      @handle.use { |engine| Native.public_send(how, function, engine, *arguments) }
    end

    def selecting(revisions, selection, &block) = Selection.with(revisions, selection, &block)

    def start(function, revisions, token, selection, &block)
      begin_run(Run, token, block) do
        selecting(revisions, selection) { |selected| ask(:make, function, selected, token.address) }
      end
    end

    # Owns what the block starts, even if an exception from outside comes, and reads it.
    def begin_run(type, token, reader)
      run = Thread.handle_interrupt(Exception => :never) { type.new(yield, token, @handlers) }
      reader ? run.each(&reader) : run
    end

    # Passes the block a token's address. Cancels the token with the caller's, and if an exception
    # (Ctrl-C, Timeout) ends the call.
    def stoppable(cancel)
      token = CancelToken.new(cancel)
      work = Thread.new { yield token.address }
      work.report_on_exception = false
      work.value
    ensure
      if work&.alive?
        2.times { token.cancel }
        # Its result is not needed: the call already ends with an exception.
        Thread.handle_interrupt(Exception => :never) { work.join rescue nil }
      end
    end

    def kept(revision, job_id, paths)
      [Native.utf8(revision), Native.utf8(job_id), Native.utf8(paths.join("\n"))]
    end

    def config(text, format, name)
      text = Native.utf8(text)
      [text, text.bytesize, Native.number(:FORMAT, format), Native.utf8(name)]
    end

    def lines(text) = text.split("\n")
  end
end
