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
  # One repository's continuous integration. Any thread may use it, several at once.
  #
  # Where commits are selected, a method takes revisions and the keywords of Selection.
  class Engine
    # See TinyCI.open and TinyCI.discover.
    def initialize(path, host, options, function = :tinyci_engine_open)
      address = Options.with(host, **options) do |set|
        Native.make(function, Native.utf8(path), set)
      end
      @host = host
      @handle = Handle.new("engine", address, :tinyci_engine_free)
    end

    # The folder that holds `builds/`.
    def path = ask(:value, :tinyci_engine_path)

    # Whether the repository has no working tree.
    def bare? = ask(:value, :tinyci_engine_is_bare) == 1

    # Warnings about the repository, for a person to read: unknown settings, a repository that was
    # moved, paths that commands cannot use.
    def warnings = lines(ask(:text, :tinyci_engine_warnings))

    # The URL that pushes to a remote go to.
    def remote_url(remote = "origin") = ask(:text, :tinyci_remote_url, Native.utf8(remote))

    # The full id of the commit that a revision names.
    def resolve(revision) = ask(:text, :tinyci_resolve, Native.utf8(revision))

    # The commit that a revision names.
    def commit(revision) = commits(revision).first

    # The commits that revisions name, in their order. Many in one call are far cheaper than a call
    # for each.
    def commits(*revisions)
      commits = ask(:make, :tinyci_commits_load, Native.utf8(revisions.join("\n")))
      Native.list(:commits, commits) { |commit| Commit.new(commit) }
    end

    # Reads the log of a commit's last job, or of all runs without a revision. Its lines come as
    # output. `lines` is how many of the last lines to begin with, nil for all; `follow` continues with
    # lines as they are written, until the job of the commit is over or the run is canceled. Runs
    # nothing, and has no records.
    def log(revision = nil, lines: nil, follow: false, cancel: CancelToken.new, &block)
      flags = follow ? Header::LOG_FOLLOW : 0
      begin_run(Run, cancel, block) do
        ask(:make, :tinyci_log_start, Native.utf8(revision), lines || -1, flags, cancel.address)
      end
    end

    # Runs what is due. With a block, gives it each event as Run#each does, and returns the run when
    # it is over; without one, returns the run, which then has to be read.
    def run(*revisions, cancel: CancelToken.new, **selection, &block)
      start(:tinyci_run_start, revisions, cancel, selection, &block)
    end

    # Follows a run of another process or thread, whose log comes as output. Runs nothing itself.
    def follow(*revisions, cancel: CancelToken.new, **selection, &block)
      start(:tinyci_follow_start, revisions, cancel, selection, &block)
    end

    # Runs steps of one commit by hand, in an export of their own until one fails. Each command comes
    # as output before it runs. Nothing is recorded; the run's one record says how the steps ended.
    # `keep` leaves the export for a day.
    def run_step(revision, *steps, keep: false, cancel: CancelToken.new, &block)
      flags = keep ? Header::STEPS_KEEP : 0
      begin_run(Run, cancel, block) do
        names = Native.utf8(steps.join("\n"))
        ask(:make, :tinyci_steps_start, Native.utf8(revision), names, flags, cancel.address)
      end
    end

    # The commits that are due, oldest first.
    def pending_commits(*revisions, **selection)
      commits = selecting(revisions, selection) { |selected| ask(:make, :tinyci_pending_commits, selected) }
      Native.list(:commits, commits) { |commit| Commit.new(commit) }
    end

    # The records that verdicts rest on, the newest commit first: of all commits, or of those that
    # are selected; with that outcome, and so many.
    def records(*revisions, outcome: nil, limit: 0, **selection)
      number = Outcome.number(outcome)
      records = selecting(revisions, selection) do |selected|
        ask(:make, :tinyci_records_query, selected, number, Native.unsigned(limit, 64))
      end
      Native.list(:records, records) { |record| Record.new(record) }
    end

    # Writes a commit's tree to a folder, which must not exist or be empty.
    def export(revision, dir, cancel: nil)
      target = Native.absolute(dir)
      stoppable(cancel) do |token|
        ask(:call, :tinyci_export_commit, Native.utf8(revision), target, token)
      end
      nil
    end

    # The files that a job kept, or those of them at these paths, directories and globs: what
    # `tinyci artifacts --json` prints. `job` is a job's id, else the newest that kept anything.
    def artifacts(revision, *paths, job: nil)
      JSON.parse(ask(:text, :tinyci_artifacts_json, *kept(revision, job, paths)))
    end

    # Copies such files to a directory, each checked against the record. Files that exist are refused
    # without `force`. Returns the list of what was copied.
    def copy_artifacts(revision, dir, *paths, job: nil, force: false, cancel: nil)
      target, flags = Native.absolute(dir), force ? Header::ARTIFACTS_FORCE : 0
      stoppable(cancel) do |token|
        words = [*kept(revision, job, paths), target, flags, token]
        JSON.parse(ask(:text, :tinyci_artifacts_copy, *words))
      end
    end

    # The pipeline that a commit's config asks for.
    def pipeline(revision)
      Pipeline.new(ask(:make, :tinyci_pipeline_load, Native.utf8(revision)))
    end

    # A pipeline from a text that stands in no commit. `format` is :yaml or :rhai.
    def parse(text, format: :yaml, name: "pipeline")
      Pipeline.new(ask(:make, :tinyci_pipeline_parse, *config(text, format, name)))
    end

    # What a run would do: what `tinyci plan --json` prints.
    def plan(*revisions, **selection)
      JSON.parse(selecting(revisions, selection) do |selected|
        ask(:text, :tinyci_plan_json, selected)
      end)
    end

    # What is wrong with a commit's config: what `tinyci check --commit REV --json` prints.
    def check(revision) = JSON.parse(ask(:text, :tinyci_check_json, Native.utf8(revision)))

    # The same of a config that is not committed yet. A script imports from the commit of the
    # revision, or without one from the files below the engine's path.
    def check_text(text, format: :yaml, name: ".tinyci.yml", revision: nil)
      words = config(text, format, name)
      JSON.parse(ask(:text, :tinyci_check_text_json, Native.utf8(revision), *words))
    end

    # The reference of the script API with this engine's functions: what `tinyci defs` prints.
    # `format` is :json, :markdown or :rhai.
    def definitions(format = :markdown)
      ask(:text, :tinyci_definitions, Native.number(:DEFINITIONS, format))
    end

    # Runs the tests of a script: what `tinyci test-pipeline --json` prints. Nothing of the script is
    # run. Without a revision the files of `dir` are meant, or those at the path that the engine was
    # opened with. `filters` are parts of the names of the tests to run; `coverage` finds out which
    # lines no test runs.
    def test_pipeline(revision = nil, dir: nil, filters: [], coverage: false)
      words = [Native.utf8(revision), dir && Native.absolute(dir),
               Native.utf8(Array(filters).join("\n")), coverage ? Header::TEST_COVERAGE : 0]
      JSON.parse(ask(:text, :tinyci_test_pipeline_json, *words))
    end

    # The lines among a commit's records that tinyci cannot read: damaged ones, another program's, or
    # forged ones.
    def unrecognized_lines(revision)
      lines(ask(:text, :tinyci_unrecognized_lines, Native.utf8(revision)))
    end

    # What is deployed to an environment now; nil for nothing.
    def deployed(environment = nil)
      found = ask(:text, :tinyci_deployed_json, Native.utf8(environment))
      JSON.parse(found) unless found.empty?
    end

    # What became of commits, newest first: the lines that `tinyci results --json` prints.
    def results(*revisions, outcome: nil, limit: 0, all_attempts: false, **selection)
      number = Outcome.number(outcome)
      flags = all_attempts ? Header::RESULTS_ALL_ATTEMPTS : 0
      lines = selecting(revisions, selection) do |selected|
        ask(:text, :tinyci_results_json, selected, number, Native.unsigned(limit, 64), flags)
      end
      lines.each_line.map { |line| JSON.parse(line) }
    end

    # Installs the git hook that runs what is pushed. Returns lines that a person should see.
    def install(command = nil, hide_refs: false, shared_hooks: false, adopt_builds: false)
      flags = (hide_refs ? Header::INSTALL_HIDE_REFS : 0) |
              (shared_hooks ? Header::INSTALL_SHARED_HOOKS : 0) |
              (adopt_builds ? Header::INSTALL_ADOPT_BUILDS : 0)
      lines(ask(:text, :tinyci_install, Native.utf8(command), flags))
    end

    # Takes the hook out again. Returns lines that a person should see.
    def uninstall = lines(ask(:text, :tinyci_uninstall))

    # Packs old builds. Leaves as they are so many of the newest, and those that `leave` tells: names
    # of builds, paths of or in them, links to them, ids of commits. Returns what was packed, and what
    # was not: what `tinyci compact --json` prints.
    def compact(newest: 1, leave: [], cancel: nil)
      # A name alone is that of a build, wherever the program is.
      left = Array(leave).map { |build| Native.utf8(build) }
      left = left.map { |it| it.include?("/") ? Native.absolute(it) : it }.join("\n")
      stoppable(cancel) do |token|
        JSON.parse(ask(:text, :tinyci_compact, Native.unsigned(newest, 64), left, token))
      end
    end

    # Takes a commit's verdict away, so that it is due again. Says whether it had one.
    def forget(revision)
      ask(:call, :tinyci_forget, Native.utf8(revision)) == Header::OK
    end

    # Forgets the verdicts and records of all commits, and gives up what others deleted of tinyci's
    # refs, which each run restores. Returns the refs, as `tinyci results --forget-all --json` prints
    # them.
    def forget_all = JSON.parse(ask(:text, :tinyci_forget_all))

    # Ends the job of a commit in whatever process it is, or the whole run without one, and waits until
    # it has ended: `wait` is true for as long as that takes, a number of seconds, or false. `by` is a
    # name and an address; `cancel` ends the wait. A run of this process has to be read on meanwhile.
    # Returns what `tinyci cancel --json` prints.
    def cancel(revision = nil, reason: nil, by: nil, kill: false, wait: true, cancel: nil)
      words = [revision, reason, *(by || [nil, nil])].map { |word| Native.utf8(word) }
      flags = kill ? Header::JOB_CANCEL_KILL : 0
      wait = wait == true ? -1 : Native.milliseconds(wait || 0)
      JSON.parse(stoppable(cancel) { |it| ask(:text, :tinyci_job_cancel, *words, flags, wait, it) })
    end

    # Gives a commit the verdict `skipped`, so that it is not tested; a job of it is ended first.
    # Returns the record, what `tinyci skip --json` prints.
    def skip(revision, reason: nil, by: nil, cancel: nil)
      words = [revision, reason, *(by || [nil, nil])].map { |word| Native.utf8(word) }
      JSON.parse(stoppable(cancel) { |token| ask(:text, :tinyci_skip, *words, token) })
    end

    # Removes old builds: all but the newest `keep`, those that were last run more than `max_age`
    # seconds ago, the oldest until the rest takes `max_bytes`. Without any rule the settings hold.
    # Returns what was removed, or would be: what `tinyci prune --json` prints.
    def prune(keep: nil, max_age: nil, max_bytes: nil, dry_run: false, cancel: nil)
      rules = [keep, max_age && Native.milliseconds(max_age), max_bytes].map { |rule| rule || -1 }
      flags = dry_run ? Header::PRUNE_DRY_RUN : 0
      JSON.parse(stoppable(cancel) { |token| ask(:text, :tinyci_prune, *rules, flags, token) })
    end

    # Deploys a commit, by the `deploy` of its config: see DeployRequest for the keywords. Reads the
    # run as `run` does; the DeployRun tells what came of it. Nobody is asked whether it may begin:
    # show a plan first, and pass that.
    def deploy(environment = nil, cancel: CancelToken.new, **request, &block)
      begin_run(DeployRun, cancel, block) do
        DeployRequest.with(**request) do |asked|
          ask(:make, :tinyci_deploy_start, Native.utf8(environment), asked, cancel.address)
        end
      end
    end

    # Goes back to what was deployed before the deployment that is there now.
    def rollback(environment = nil, **request, &block)
      deploy(environment, rollback: true, **request, &block)
    end

    # What a deployment would do: what `tinyci deploy --dry-run --json` prints.
    def deploy_plan(environment = nil, **request)
      JSON.parse(DeployRequest.with(**request) do |asked|
        ask(:text, :tinyci_deploy_plan_json, Native.utf8(environment), asked)
      end)
    end

    # What was deployed, newest first: the lines that `tinyci deployments --json` prints. Gives the
    # block lines that a person should see, about what stands there and is no deployment.
    def deployments(environment = nil, limit: 0, &warned)
      warnings = Native.place
      lines = ask(:text, :tinyci_deployments_json, Native.utf8(environment), Native.unsigned(limit, 64),
                  warnings)
      warnings = Native.taken_text(Native.stored(warnings))
      warnings.each_line(chomp: true, &warned) if warned
      lines.each_line.map { |line| JSON.parse(line) }
    end

    # Approves of a commit, so that its next deployment there can go on. The approver is whom git's
    # configuration names. Returns what `tinyci approve --json` prints.
    def approve(revision, environment = nil)
      JSON.parse(ask(:text, :tinyci_approve, Native.utf8(environment), Native.utf8(revision)))
    end

    # Says why an environment whose last deployment was interrupted can be deployed to again. Says
    # whether there was something to unlock.
    def unlock_deployments(reason, environment = nil)
      status = ask(:call, :tinyci_unlock_deployments, Native.utf8(environment), Native.utf8(reason))
      status == Header::OK
    end

    # Puts on record that nothing runs in an environment any more, so that its builds are no longer
    # pinned. Says whether that is new.
    def retire(environment = nil)
      ask(:call, :tinyci_retire, Native.utf8(environment)) == Header::OK
    end

    # How the repository stands: what `tinyci status --json` prints.
    def status = JSON.parse(ask(:text, :tinyci_status_json))

    # Every setting, and what is set: the lines that `tinyci settings --json` prints.
    def settings = ask(:text, :tinyci_settings_json).each_line.map { |line| JSON.parse(line) }

    # Has `git fetch` bring a remote's verdicts, records and deployments. Returns the lines of git's
    # configuration that are new.
    def setup_remote(remote = nil) = lines(ask(:text, :tinyci_setup_remote, Native.utf8(remote)))

    # Takes these lines out again, and returns them.
    def undo_setup_remote(remote = nil)
      lines(ask(:text, :tinyci_undo_setup_remote, Native.utf8(remote)))
    end

    # Merges the verdicts and records that were last fetched of a remote into the repository's own.
    # Says whether there was something new.
    def merge_results(remote = nil)
      ask(:call, :tinyci_merge_results, Native.utf8(remote)) == Header::OK
    end

    # Lets go of the repository. What was made of the engine goes on.
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

    # Owns what the block starts, which no exception from outside can lose, and has it read.
    def begin_run(type, token, reader)
      run = Thread.handle_interrupt(Exception => :never) { type.new(yield, token, @host) }
      reader ? run.each(&reader) : run
    end

    # Gives the block a token's address, and stops what it does with that when the host's token is
    # canceled or an exception (Ctrl-C, Timeout) ends the call.
    def stoppable(cancel)
      token = CancelToken.new(cancel)
      work = Thread.new { yield token.address }
      work.report_on_exception = false
      work.value
    ensure
      if work&.alive?
        2.times { token.cancel }
        # What it says now is of no interest: the call ends by an exception already.
        Thread.handle_interrupt(Exception => :never) { work.join rescue nil }
      end
    end

    def kept(revision, job, paths)
      [Native.utf8(revision), Native.utf8(job), Native.utf8(paths.join("\n"))]
    end

    def config(text, format, name)
      text = Native.utf8(text)
      [text, text.bytesize, Native.number(:FORMAT, format), Native.utf8(name)]
    end

    def lines(text) = text.split("\n")
  end
end
