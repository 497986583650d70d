# frozen_string_literal: true

require_relative "support"

class EngineTest < Minitest::Test
  include Support

  def test_options_hold
    commit("build: echo <%= where %> $COLOR ${HOME-none}\n")
    options = { refs: "refs/heads/main", jobs: 2, job_timeout: 60.5, builds_dir: Pathname("#{@dir}/b"),
                log_limit: 1 << 20, settings: { gracePeriod: "1s", refs: ["refs/heads/*"] },
                env: { COLOR: "red", HOME: nil }, vars: { where: "here" } }
    output = +""
    open_engine(**options) { |engine| engine.run { |event| output << event.text if event.output? } }
    assert_equal "here red none\n", output
    assert_equal 1, Dir["#{@dir}/b/*/tinyci.log"].size
  end

  # In a program of its own, since the directory is the process's.
  MOVING = <<~RUBY
    require "tinyci"
    here, there, head = ARGV
    Dir.chdir(here)
    engine = TinyCI.open("app")
    Dir.chdir(there)
    raise engine.path unless engine.path == File.join(File.realpath(here), "app")
    raise "the plan" unless engine.plan.dig("jobs", 0, "commit", "id") == head
    output = +""
    engine.run { |event| output << event.text if event.output? }
    engine.deploy { |event| output << event.text if event.output? }
    Dir.chdir(there) { engine.export("HEAD", "out") }
    print output, File.read(File.join(there, "out/mark"))
  RUBY

  def test_an_engine_stays_that_of_its_repository_wherever_the_program_goes
    head = commit("build: echo built here\ndeploy: echo deployed here\n", mark: "here")
    Dir.mktmpdir("tinyci-ruby") do |there|
      other = File.join(there, "app")
      git("clone", "--quiet", @repository, other, dir: there)
      File.write(File.join(other, ".tinyci.yml"), "build: echo built there\n")
      git("commit", "--quiet", "--all", "--message", "there", dir: other)
      output, status =
        Open3.capture2e(RbConfig.ruby, "-I", LIBRARY, "-e", MOVING, @dir, there, head)
      assert status.success?, output
      assert_equal "built here\ndeployed here\nhere", output
      refute_path_exists File.join(other, "builds")
    end
  end

  def test_mistakes_in_options_are_errors
    [{ jobs: 0 }, { job_timeout: -1 }, { settings: { nonsense: 1 } },
     { vars: { "Bad name" => 1 } }].each do |options|
      error = assert_raises(TinyCI::Error, options.inspect) { open_engine(**options) }
      assert_equal :invalid_arg, error.code
    end
    assert_raises(RangeError) { open_engine(jobs: 1 << 32) }
    assert_raises(ArgumentError) { open_engine(job: 1) }
    assert_raises(TypeError) { open_engine(env: { "A" => Object.new }) }
    assert_raises(ArgumentError) { open_engine(env: { "A" => "a\0b" }) }
  end

  def test_errors_say_what_and_where
    error = assert_raises(TinyCI::Error) { TinyCI.open(@dir) }
    assert_equal :not_a_repo, error.code
    assert_includes error.message, @dir
    error = assert_raises(TinyCI::Error) { TinyCI.parse("build: [\n", name: "nightly.yml") }
    assert_equal [:config, "nightly.yml"], [error.code, error.file]
    assert_operator error.line, :>, 0
    assert_operator error.column, :>, 0
    error = assert_raises(TinyCI::Error) { TinyCI.interpolate("<%= nothing %>") }
    assert_equal [:interpolate, 1, 0], [error.code, error.line, error.host_code]
    blocked = File.join(@dir, "blocked")
    File.write(blocked, "")
    commit("build: exit 0\n")
    error = assert_raises(TinyCI::Error) do
      open_engine { |engine| engine.export("HEAD", "#{blocked}/out") }
    end
    assert_equal :io, error.code
    refute_empty error.causes
  end

  def test_scan_pipeline_check_plan
    first = commit("build: exit 0\ntest: exit 0\n")
    second = commit("build: exit 0\ndeply: 1\n")
    open_engine do |engine|
      commits = engine.pending_commits
      assert_equal [first, second], commits.map(&:id)
      assert_equal ["main", "main".b], [commits[0].branch, commits[0].branch_bytes]
      subject = "Change .tinyci.yml"
      assert_equal [subject, subject.b], [commits[0].subject, commits[0].subject_bytes]
      assert_equal git("rev-parse", "#{first}^{tree}"), commits[0].tree
      assert_equal git("show", "--no-patch", "--format=%ct", first), commits[0].time.to_i.to_s
      assert_equal [second], engine.pending_commits(range: "#{first}..#{second}").map(&:id)
      assert_equal [first], engine.pending_commits(first).map(&:id)
      assert_equal %w[build test], engine.pipeline(first).steps
      assert engine.check(first).fetch("valid")
      refute engine.check(second).fetch("valid")
      refute engine.check_text("biuld: make\n", name: "x.yml").fetch("valid")
      script = "fn build(ctx) { sh(\"make\") }"
      assert engine.check_text(script, format: :rhai, name: "x.rhai").fetch("valid")
      assert_equal [first, second], engine.plan.fetch("jobs").map { |job| job.dig("commit", "id") }
      assert_equal @repository, engine.path
    end
  end

  def test_selections
    first = commit("build: exit 0\n")
    second = commit("build: exit 1\n")
    zeros = "0" * 40
    open_engine do |engine|
      run = engine.run(hook_lines: "#{zeros} #{second} refs/heads/main\n", wait: true) { nil }
      assert_equal [[first, :success], [second, :failure]],
                   run.records.map { |record| [record.commit, record.outcome] }
      assert_empty engine.run(second) { nil }.records
      assert_equal [second], engine.run(second, retry: true) { nil }.records.map(&:commit)
      updates = [[first, second, "refs/heads/main"]]
      assert_empty engine.pending_commits(updates: updates, all_history: true, wait: 0.5)
      error = assert_raises(TinyCI::Error) { engine.pending_commits(hook_lines: "odd") }
      assert_equal :invalid_arg, error.code
      assert_raises(ArgumentError) { engine.run(ranges: "x") }
    end
  end

  def test_a_pipeline_of_the_hosts_own
    commit("build: exit 1\n")
    nightly = TinyCI.parse("build: echo nightly\n", name: "nightly.yml")
    open_engine(functions: { word: -> { "script" } }) do |engine|
      run = engine.run("HEAD", pipeline: nightly)
      assert_includes run.filter_map(&:text), "nightly\n"
      assert run.records.fetch(0).passed?
      script = engine.parse("fn build(ctx) { sh(`echo ${word()}`) }", format: :rhai, name: "n.rhai")
      run = engine.run("HEAD", pipeline: script, retry: true)
      assert_includes run.filter_map(&:text), "script\n"
      assert_equal :invalid_arg, assert_raises(TinyCI::Error) { engine.run(pipeline: nil) }.code
      assert_raises(ArgumentError) { engine.parse("", format: :toml) }
    end
  end

  def test_records_and_results
    green = commit("build: exit 0\n")
    red = commit("build: exit 1\n")
    open_engine do |engine|
      engine.run { nil }
      assert_equal [red, green], engine.records.map(&:commit)
      assert_equal [green], engine.records(outcome: :success, limit: 1).map(&:commit)
      assert_equal [red], engine.records(red).map(&:commit)
      assert_empty engine.records(outcome: :timed_out)
      assert_raises(ArgumentError) { engine.records(outcome: :green) }
      assert_raises(RangeError) { engine.records(limit: -1) }
      assert_equal %w[failure success], engine.results.map { |result| result.fetch("outcome") }
      engine.run(red, retry: true) { nil }
      assert_equal 2, engine.results(red, all_attempts: true).size
      assert_equal engine.records(red)[0].to_h.fetch("job_id"), engine.results(red)[0].fetch("job_id")
      assert engine.forget(red)
      refute engine.forget(red)
      assert_equal [red], engine.pending_commits.map(&:id)
      assert_includes engine.forget_all.fetch("removed"), "refs/notes/runs/tinyci"
    end
  end

  def test_commits_are_canceled_and_skipped_by_name
    hung = commit("build: echo going; exec sleep 600\n")
    ada = ["Ada", "ada@example.org"]
    open_engine do |engine|
      run = engine.run do |event|
        next unless event.kind == :output

        canceled = engine.cancel(hung, reason: "it hangs", by: ada, wait: false)
        assert_equal [[hung], false], [canceled["jobs"].map { |job| job["commit"] }, canceled["whole_run"]]
      end
      assert_equal [:canceled], run.records.map(&:outcome)
      by = { "kind" => "cancel", "by" => "Ada <ada@example.org>", "reason" => "it hangs" }
      told = run.records.fetch(0).to_h.fetch("intervention")
      refute_empty told.delete("account")
      assert_equal by, told
      [nil, hung].each do |revision|
        error = assert_raises(TinyCI::Error) { engine.cancel(revision, kill: true) }
        assert_equal :not_found, error.code
      end
      assert_equal "skip", engine.skip(hung, by: ada).dig("intervention", "kind")
      assert_equal :invalid_arg, assert_raises(TinyCI::Error) { engine.skip(hung) }.code

      pushed = commit("build: exit 0\n")
      lines = "#{hung} #{pushed} refs/heads/main\n"
      run = engine.run(hook_lines: lines, push_options: "ci.skip") { nil }
      assert_equal [:skipped], run.records.map(&:outcome)
    end
  end

  def test_acts
    git("clone", "--quiet", "--bare", @repository, "#{@dir}/bare.git", dir: @dir)
    id = commit("build: exit 0\n")
    newer = commit("build: echo\n")
    git("push", "--quiet", "#{@dir}/bare.git", "main")
    TinyCI.open("#{@dir}/bare.git") do |engine|
      assert_kind_of Array, engine.install("tinyci", hide_refs: true)
      assert_includes File.read("#{@dir}/bare.git/hooks/post-receive"), "tinyci"
      engine.uninstall
      refute File.exist?("#{@dir}/bare.git/hooks/post-receive")
      engine.run { nil }
      assert_empty engine.compact(keep: 1, keep_builds: id)["compacted"]
      packed = engine.compact(keep: 1)
      assert_empty packed["not_removed"]
      archives = packed["compacted"].map { |build| build["archive"] }
      assert_equal [id], archives.map { |path| path[/_(\h+)\.tar\.gz\z/, 1] }
      assert_path_exists archives[0]
      assert_equal 1, Dir["#{@dir}/bare.git/builds/*_#{newer}"].size
    end
  end

  def test_artifacts_and_steps_by_hand
    File.write("#{@repository}/.tinyci.rhai", <<~RHAI)
      fn build() { sh("mkdir d; echo a > d/a; echo b > d/b"); artifact("d"); }
      fn test() { sh("false"); }
    RHAI
    git("add", ".")
    git("commit", "--quiet", "--message", "script")
    open_engine do |engine|
      output = +""
      run = engine.run_step("HEAD", "build", "test") do |event|
        output << event.data if event.kind == :output
      end
      assert_includes output, "+ false"
      refute run.records.fetch(0).passed?
      assert_equal 1, engine.pending_commits.size, "nothing is recorded"
      assert_raises(TinyCI::Error) { engine.run_step("HEAD", "deploy") { nil } }
      assert_raises(TinyCI::Error) { engine.artifacts("HEAD") }
      engine.run { nil }
      kept = engine.artifacts("HEAD")
      assert_equal %w[d/a d/b], kept["artifacts"].map { |it| it["path"] }
      out = "#{@dir}/out"
      engine.copy_artifacts("HEAD", out, "d/b", job_id: kept["job_id"])
      assert_equal "b\n", File.read("#{out}/d/b")
      assert_raises(TinyCI::Error) { engine.copy_artifacts("HEAD", out) }
      engine.copy_artifacts("HEAD", out, force: true)
      assert_path_exists "#{out}/d/a"
    end
  end

  def test_a_closed_engine_is_an_error_but_its_runs_go_on
    commit("build: exit 0\n")
    engine = open_engine
    run = engine.run
    engine.close
    assert engine.closed?
    run.each { nil }
    assert run.records.fetch(0).passed?
    assert_equal "this engine was closed", assert_raises(TinyCI::Error) { engine.pending_commits }.message
    assert_equal 5, open_engine { 5 }
  end

  def test_closing_while_other_threads_ask
    commit("build: exit 0\n")
    10.times do
      engine = open_engine
      threads = Array.new(4) do
        Thread.new { engine.pending_commits.size rescue $!.code }
      end
      engine.close
      assert_empty threads.map(&:value) - [1, :invalid_arg]
    end
  end

  def test_texts_of_any_encoding
    commit("build: echo \"$WORD\"\n")
    git("branch", "b\xFF".b)
    word = "Grüße".encode(Encoding::ISO_8859_1)
    open_engine(env: { WORD: word }) do |engine|
      assert_includes engine.run.filter_map(&:text), "Grüße\n"
    end
    error = assert_raises(TinyCI::Error) { open_engine(vars: { a: "\xFF" }) }
    assert_equal :invalid_arg, error.code
  end

  def test_the_module
    assert_equal TinyCI::VERSION, TinyCI.library_version
    assert TinyCI.feature?("rhai")
    refute TinyCI.feature?("nonsense")
    assert_path_exists TinyCI.library_path
    assert_equal "a v1 <%= b", TinyCI.interpolate("a <%= tag %> <%%= b", tag: "v1")
    assert_equal %w[build test], TinyCI.parse("build: a\ntest: b\n").steps
  end
end
