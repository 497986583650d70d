# frozen_string_literal: true

require_relative "support"

class ExecutorTest < Minitest::Test
  include Support

  # An executor as a program would write it: it runs the command, passes its output on and ends it.
  RUN = lambda do |command|
    reader, writer = IO.pipe
    pid = Process.spawn(command.env, *command.argv,
                        unsetenv_others: true, chdir: command.cwd, in: File::NULL,
                        %i[out err] => writer, pgroup: true)
    writer.close
    begin
      command.write(reader.readpartial(4096)) until reader.eof?
      Process.wait2(pid).last
    rescue TinyCI::Error
      Process.kill(:KILL, -pid)
      Process.wait(pid)
      raise
    ensure
      reader.close
    end
  end

  def test_the_host_runs_commands
    commit("build: echo $TINYCI_STEP in $PWD\ntest: kill -TERM $$\n")
    seen = []
    executor = ->(command) { seen << command; RUN.call(command) }
    output = +""
    record = open_engine(executor: executor) do |engine|
      engine.run { |event| output << event.data if event.output? }.records.fetch(0)
    end
    assert_equal "build in #{seen[0].export_dir}\n", output
    assert_equal [0, 128 + 15], record.steps.map(&:exit_code)
    assert_equal :failure, record.outcome
    assert_equal ["echo $TINYCI_STEP in $PWD", ["/bin/sh", "-c", seen[0].shell], nil, false],
                 [seen[0].shell, seen[0].argv, seen[0].input, seen[0].split?]
    refute_includes seen.map(&:canceled?), false, "both are over"
  end

  def test_a_command_has_its_own_environment_and_nothing_of_the_hosts
    own = { "GIT_PREFIX" => "sub/", "TOKEN" => "secret", "LC_ODD" => "a\xFF" }
    before = own.to_h { |name, _| [name, ENV.fetch(name, nil)] }
    commit("build: env\n")
    ENV.update(own)
    odd = nil
    executor = ->(command) { odd = command.env["LC_ODD"]; RUN.call(command) }
    output = +""
    open_engine(executor: executor) do |engine|
      engine.run { |event| output << event.data if event.output? }
    end
    assert_equal "a\xFF".b, odd
    assert_equal ["PATH"], %w[PATH GIT_PREFIX TOKEN].select { |name| output.b.match?(/^#{name}=/n) }
  ensure
    ENV.update(before)
  end

  def test_several_commands_run_at_once
    commit("build: first\n")
    git("branch", "other", "HEAD")
    git("checkout", "--quiet", "other")
    commit("build: second\n")
    both = Queue.new
    barrier = lambda do |command|
      both << command
      eventually("the other command") { both.size == 2 }
      0
    end
    open_engine(jobs: 2, executor: barrier) do |engine|
      assert_equal [true, true], engine.run { nil }.records.map(&:passed?)
    end
  end

  def test_output_waits_for_whoever_reads
    commit("build: flood\n")
    size = 5 << 20
    flood = lambda do |command|
      (size >> 10).times { command.write("#{"x" * 1023}\n") }
      command.write("no\n", stream: :stderr)
      0
    end
    read = 0
    open_engine(executor: flood) do |engine|
      record = engine.run { |event| read += event.data.bytesize if event.output? }.records.fetch(0)
      assert record.passed?
    end
    assert_equal size + 3, read
  end

  def test_what_scripts_ask_of_an_executor
    commit(<<~RHAI, ".tinyci.rhai")
      fn build(ctx) {
          let said = capture("say");
          if said != "out" { throw `it said ${said}`; }
      }
    RHAI
    executor = lambda do |command|
      raise "not split" unless command.split?

      command.write("out\n")
      command.write("err\n", stream: :stderr)
      0
    end
    record = open_engine(executor: executor) { |engine| engine.run { nil }.records.fetch(0) }
    assert record.passed?, record.json
  end

  def test_an_executor_that_fails_is_an_error
    commit("build: make\nhooks:\n  after_all: make clean\n")
    { KeyError => ->(_) { raise KeyError, "no machine" }, TypeError => ->(_) { :ok },
      RangeError => ->(_) { 1 << 40 } }.each do |error, executor|
      open_engine(executor: executor) do |engine|
        assert_raises(error) { engine.run("HEAD", retry: true) { nil } }
        assert_equal :error, engine.records("HEAD").fetch(0).outcome
      end
    end
  end

  def test_a_refused_command_is_none
    commit("build: make\n")
    refuse = ->(command) { command.fail("not here") }
    record = open_engine(executor: refuse) { |engine| engine.run { nil }.records.fetch(0) }
    refute record.passed?
    assert_includes record.json, "not here"
  end

  def test_a_command_that_is_late_or_canceled_is_ended_by_an_error
    commit("build:\n  run: sleep 1000\n  timeout: 200ms\n")
    ended = Queue.new
    executor = lambda do |command|
      RUN.call(command)
    rescue TinyCI::Error => error
      ended << error.code
      raise
    end
    open_engine(executor: executor) do |engine|
      assert_equal :timed_out, engine.run { nil }.records.fetch(0).outcome
      assert_equal :canceled, ended.pop
    end
  end

  def test_leaving_the_block_ends_the_commands
    commit(silent_build)
    open_engine(executor: RUN) do |engine|
      pid = engine.run { |event| break Integer(event.text) if event.output? }
      refute alive?(pid)
    end
    assert_empty verdicts
  end
end
