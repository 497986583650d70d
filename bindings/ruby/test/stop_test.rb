# frozen_string_literal: true

require_relative "support"

# However a run or its process ends: nothing hangs, no command continues, no commit gets a verdict.
class StopTest < Minitest::Test
  include Support

  # A program that does nothing but read.
  READING = "TinyCI.open(ARGV[0]).run { |event| tell(event) if event.output? }"

  def assert_stopped(pid)
    eventually("the end of #{pid}") { !alive?(pid) }
    assert_empty verdicts
  end

  def test_break_stops_the_run
    commit(silent_build)
    pid = open_engine { |engine| engine.run { |event| break Integer(event.text) if event.output? } }
    refute alive?(pid), "the block was left before the build had ended"
    assert_stopped(pid)
  end

  def test_an_exception_stops_the_run
    commit(silent_build)
    error = assert_raises(KeyError) do
      open_engine { |engine| engine.run { |event| raise KeyError, event.text if event.output? } }
    end
    refute alive?(Integer(error.message))
    assert_stopped(Integer(error.message))
  end

  def test_a_throw_stops_the_run
    commit(silent_build)
    pid = catch(:done) do
      open_engine do |engine|
        engine.run { |event| throw :done, Integer(event.text) if event.output? }
      end
    end
    refute alive?(pid)
    assert_stopped(pid)
  end

  def test_a_throw_out_of_a_hook_stops_the_run
    commit("build: touch #{@dir}/built\n")
    open_engine(hooks: { before_build: ->(_) { throw :done, 7 } }) do |engine|
      assert_equal 7, (catch(:done) { engine.run { nil } })
    end
    assert_empty verdicts
    refute File.exist?("#{@dir}/built")
  end

  def test_a_timeout_ends_a_silent_build
    commit(silent_build)
    open_engine do |engine|
      run = engine.run
      pid = nil
      assert_raises(Timeout::Error) do
        # After the pid, no event comes until the timeout.
        Timeout.timeout(5) { run.each { |event| pid = Integer(event.text) if event.output? } }
      end
      assert_stopped(pid) if pid
      assert_empty verdicts
    end
  end

  def test_cancel_of_another_thread_still_runs_after_all
    commit("#{silent_build}hooks:\n  after_all: echo last\n")
    output = Queue.new
    open_engine do |engine|
      run = engine.run
      canceler = Thread.new { output.pop && run.cancel }
      texts = run.filter_map { |event| event.text.tap { |text| output << text } if event.output? }
      canceler.join
      assert_equal "last\n", texts.last
      assert_equal :canceled, run.records.fetch(0).outcome
      assert_stopped(Integer(texts.first))
    end
  end

  def test_one_token_stops_every_run_that_it_is_given_to
    commit(silent_build)
    token = TinyCI::CancelToken.new
    open_engine do |engine|
      run = engine.run(cancel: token) { |event| token.cancel if event.output? }
      assert_equal :canceled, run.records.fetch(0).outcome
      assert_equal [1, true], [token.level, token.canceled?]
      assert_equal :canceled, engine.run("HEAD", cancel: token).to_a.last.outcome
    end
  end

  def test_a_child_of_a_token_stops_one_run_alone
    commit(silent_build)
    all = TinyCI::CancelToken.new
    one, other = all.child, all.child
    open_engine do |engine|
      run = engine.run(cancel: one) { |event| one.cancel if event.output? }
      assert_equal :canceled, run.records.fetch(0).outcome
      assert_equal [0, 1, 0], [all, one, other].map(&:level)
      run = engine.run(cancel: other) { |event| all.cancel if event.output? }
      assert_equal :canceled, run.records.fetch(0).outcome
      assert_equal [1, 1, 1], [all, one, other].map(&:level)
    end
  end

  def test_a_run_that_nobody_reads_any_more_is_ended_by_the_collector
    commit(silent_build)
    open_engine do |engine|
      # In a thread of its own, which keeps nothing alive.
      pid = Thread.new do
        run = engine.run
        event = run.poll || run.wait until event&.output?
        Integer(event.text)
      end.value
      eventually("the collection") { GC.start || !alive?(pid) }
    end
    assert_empty verdicts
  end

  # Each ends Ruby in the middle of a silent build.
  { "exit" => "exit 3",
    "exit!" => "exit! 3",
    "abort" => "abort 'enough'",
    "an error that nobody catches" => "raise KeyError",
    "an exit of another thread" => "Thread.new { exit 3 }.join" }.each do |name, ending|
    define_method(:"test_#{name.tr(" ", "_")}_in_mid_run") do
      commit(silent_build)
      pid, log = program(<<~RUBY)
        TinyCI.open(ARGV[0]) do |engine|
          engine.run { |event| (tell(event); #{ending}) if event.output? }
        end
      RUBY
      assert_includes [1, 3], status_of(pid).exitstatus, File.read(log)
      assert_stopped(build_pid)
    end
  end

  def test_an_exit_while_another_thread_reads_the_run
    commit(silent_build)
    pid, log = program(<<~RUBY)
      told = Queue.new
      Thread.new { TinyCI.open(ARGV[0]).run { |event| told << tell(event) if event.output? } }
      told.pop
      exit 3
    RUBY
    assert_equal 3, status_of(pid).exitstatus, File.read(log)
    assert_stopped(build_pid)
  end

  def test_the_end_of_ruby_stops_a_run_that_nobody_reads
    commit(silent_build)
    pid, log = program(<<~RUBY)
      $run = TinyCI.open(ARGV[0]).run
      event = $run.poll || $run.wait until event&.output?
      tell(event)
    RUBY
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    assert_stopped(build_pid)
  end

  def test_the_end_of_ruby_while_an_executor_works_is_no_verdict
    commit("build: make\n")
    pid, log = program(<<~RUBY)
      working = Queue.new
      $run = TinyCI.open(ARGV[0], executor: ->(_) { working << true; sleep }).run
      $run.poll || $run.wait until !working.empty?
    RUBY
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    assert_empty verdicts
  end

  def test_ctrl_c_in_a_silent_build
    commit(silent_build)
    pid, log = program(READING)
    build = build_pid
    Process.kill(:INT, pid)
    status = status_of(pid)
    assert_equal Signal.list.fetch("INT"), status.termsig, File.read(log)
    assert_stopped(build)
  end

  def test_a_trap_can_cancel
    commit(silent_build)
    pid, log = program(<<~RUBY)
      TinyCI.open(ARGV[0]) do |engine|
        run = engine.run
        trap("TERM") { run.cancel }
        run.each { |event| tell(event) if event.output? }
        exit(run.records[0].outcome == :canceled ? 0 : 1)
      end
    RUBY
    build = build_pid
    Process.kill(:TERM, pid)
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    assert_stopped(build)
  end

  def test_a_kill_leaves_nothing_behind
    commit(silent_build)
    pid, = program(READING)
    build = build_pid
    Process.kill(:KILL, pid)
    status_of(pid)
    assert_stopped(build)
  end

  def test_fork_in_mid_run_leaves_both_sides_alive
    commit("build: echo $TINYCI_STEP\n")
    pid, log = program(<<~RUBY)
      TinyCI.open(ARGV[0]) do |engine|
        run = engine.run
        statuses = run.filter_map do |event|
          next unless event.exported?

          child = fork do
            begin
              run.poll
            rescue TinyCI::Error => error
              exit! 1 unless error.code == :wrong_process
            end
            run.cancel
            run.close
            exit! 2 unless TinyCI.open(ARGV[0]) { |own| own.pipeline("HEAD").steps } == ["build"]
          end
          Process.wait2(child).last.exitstatus
        end
        p statuses, run.records.map(&:outcome)
        # A child that leaves the block at once, and one that goes through all that is around it.
        exit! 0 if fork.nil?
        exit if fork.nil?
        2.times { Process.wait }
      end
    RUBY
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    assert_equal "[0]\n[:success]\n", File.read(log)
  end

  # Ruby reaps children if SIGCHLD is ignored. Either may come first, but an exit code that was taken
  # does not count as a success.
  def test_an_exit_code_that_other_code_took_is_not_a_success
    commit("build: exit 3\n")
    pid, log = program(<<~RUBY)
      trap("CLD", "IGNORE")
      TinyCI.open(ARGV[0]) do |engine|
        exit(engine.run { nil }.records.none?(&:passed?) ? 0 : 1)
      rescue TinyCI::Error => error
        exit(error.code == :unsupported ? 0 : 2)
      end
    RUBY
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    refute_includes git("log", "--format=%N", "--notes=tinyci-result"), "success"
  end

  def test_an_export_can_be_canceled
    id = commit("build: exit 0\n")
    canceled = TinyCI::CancelToken.new.cancel
    open_engine do |engine|
      error = assert_raises(TinyCI::Error) { engine.export(id, "#{@dir}/out", cancel: canceled) }
      assert_equal :canceled, error.code
      refute File.exist?("#{@dir}/out/.tinyci.yml")
      engine.export(id, "#{@dir}/out", cancel: TinyCI::CancelToken.new)
      assert_path_exists "#{@dir}/out/.tinyci.yml"
    end
  end
end
