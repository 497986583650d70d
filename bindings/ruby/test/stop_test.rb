# frozen_string_literal: true

require_relative "support"

# However a run is left or its process ends: nothing hangs, no command goes on, nothing is judged.
class StopTest < Minitest::Test
  include Support

  # Opens the engine around a silent build, and gives the block the run and the build's pid in the
  # middle of it.
  def silent_run
    commit(silent_build)
    open_engine do |engine|
      run = engine.run
      yield run, -> { build_pid }
    end
  end

  def assert_stopped(pid)
    eventually("the end of #{pid}") { !alive?(pid) }
    assert_empty verdicts
  end

  def test_break_stops_the_run
    commit(silent_build)
    pid = nil
    result = open_engine do |engine|
      engine.run { |event| break pid = build_pid if event.step_started? }
    end
    assert_equal pid, result
    refute alive?(pid), "the block was left before the build had ended"
    assert_stopped(pid)
  end

  def test_an_exception_stops_the_run_and_a_throw_does
    silent_run do |run, pid|
      error = assert_raises(KeyError) { run.each { |event| pid.call && raise(KeyError) if event.step_started? } }
      assert_instance_of KeyError, error
      assert_stopped(pid.call)
    end
    FileUtils.rm("#{@dir}/pid")
    open_engine do |engine|
      assert_equal 7, (catch(:done) { engine.run { |event| build_pid && throw(:done, 7) if event.step_started? } })
      assert_stopped(build_pid)
    end
  end

  def test_a_throw_out_of_a_hook_stops_the_run
    commit(silent_build)
    open_engine(hooks: { before_build: ->(_) { throw :done, 7 } }) do |engine|
      assert_equal 7, (catch(:done) { engine.run { nil } })
    end
    assert_empty verdicts
    refute File.exist?("#{@dir}/pid")
  end

  def test_a_timeout_ends_a_silent_build
    silent_run do |run, pid|
      assert_raises(Timeout::Error) do
        Timeout.timeout(PATIENCE) do
          run.each do |event|
            next unless event.step_started?

            pid.call
            # From here on nothing happens until the time is over.
            Timeout.timeout(0.2) { run.each { nil } }
          end
        end
      end
      assert_stopped(pid.call)
    end
  end

  def test_cancel_of_another_thread_still_runs_after_all
    commit(silent_build + "hooks:\n  after_all: echo last\n")
    output = +""
    open_engine do |engine|
      run = engine.run
      canceler = Thread.new { build_pid && run.cancel }
      run.each { |event| output << event.data if event.output? }
      canceler.join
      assert_equal "last\n", output
      assert_equal :canceled, run.records.fetch(0).outcome
    end
    assert_stopped(build_pid)
  end

  def test_one_token_stops_every_run_that_it_is_given_to
    commit(silent_build)
    token = TinyCI::CancelToken.new
    open_engine do |engine|
      Thread.new { build_pid && token.cancel }
      run = engine.run(cancel: token) { nil }
      assert_equal :canceled, run.records.fetch(0).outcome
      assert_equal [1, true], [token.level, token.canceled?]
      assert_equal :canceled, engine.run("HEAD", cancel: token).to_a.last.outcome
    end
  end

  def test_a_run_that_nobody_reads_any_more_is_ended_by_the_collector
    commit(silent_build)
    open_engine do |engine|
      # In a frame of its own, which keeps nothing alive.
      Thread.new { engine.run.each.next }.join
      pid = nil
      Thread.new do
        run = engine.run rescue nil
        pid = build_pid if run
      end.join
      GC.start
      eventually("the collection") do
        GC.start
        !alive?(pid)
      end
    end
    assert_empty verdicts
  end

  # Each ends Ruby in the middle of a silent build.
  ENDS = {
    "exit" => "exit 3",
    "exit!" => "exit! 3",
    "abort" => "abort 'enough'",
    "an error that nobody catches" => "raise KeyError",
    "an exit of another thread" => "Thread.new { Process.exit(3) }.join",
    "an exit while another thread reads the run" => "Thread.main.wakeup; sleep"
  }.freeze

  ENDS.each do |name, ending|
    define_method(:"test_#{name.tr(" !", "__")}_in_mid_run") do
      commit(silent_build)
      pid, log = program(<<~RUBY)
        wait = -> { sleep 0.01 until File.exist?("#{@dir}/pid") }
        engine = TinyCI.open(ARGV[0])
        if #{name.end_with?("reads the run")}
          Thread.new { engine.run { |event| nil } }
          wait.call
          exit 3
        end
        engine.run { |event| (wait.call; #{ending}) if event.step_started? }
      RUBY
      status = status_of(pid)
      assert_includes [1, 3], status.exitstatus, File.read(log)
      assert_stopped(build_pid)
    end
  end

  def test_the_end_of_ruby_stops_a_run_that_nobody_reads
    commit(silent_build)
    pid, log = program(<<~RUBY)
      $run = TinyCI.open(ARGV[0]).run
      $run.wait until $run.poll&.step_started?
      sleep 0.01 until File.exist?("#{@dir}/pid")
    RUBY
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    assert_stopped(build_pid)
  end

  def test_ctrl_c_in_a_silent_build
    commit(silent_build)
    pid, log = program("TinyCI.open(ARGV[0]) { |engine| engine.run { nil } }\n")
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
        run.each { nil }
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
    pid, = program("TinyCI.open(ARGV[0]) { |engine| engine.run { nil } }\n")
    build = build_pid
    Process.kill(:KILL, pid)
    status_of(pid)
    assert_stopped(build)
  end

  def test_fork_in_mid_run_leaves_both_sides_alive
    commit("build: echo $TINYCI_PHASE\n")
    pid, log = program(<<~RUBY)
      TinyCI.open(ARGV[0]) do |engine|
        run = engine.run
        statuses = run.filter_map do |event|
          next unless event.exported?

          child = fork do
            begin
              run.poll
            rescue TinyCI::Error => error
              exit! 1 unless error.status == :wrong_process
            end
            run.cancel
            run.close
            exit! 2 unless TinyCI.open(ARGV[0]) { |own| own.pipeline("HEAD").steps } == ["build"]
          end
          Process.wait2(child).last.exitstatus
        end
        p statuses, run.records.map(&:outcome)
        # A child that goes on through the parent's block, and one that ends there.
        exit! 0 if fork.nil?
        exit if fork.nil?
        Process.wait
        Process.wait
      end
    RUBY
    assert_equal 0, status_of(pid).exitstatus, File.read(log)
    assert_equal "[0]\n[:success]\n", File.read(log)
  end

  def test_an_export_can_be_interrupted_and_canceled
    id = commit("build: exit 0\n")
    canceled = TinyCI::CancelToken.new.cancel
    open_engine do |engine|
      error = assert_raises(TinyCI::Error) { engine.export(id, "#{@dir}/out", cancel: canceled) }
      assert_equal :canceled, error.status
      refute File.exist?("#{@dir}/out/.tinyci.yml")
      engine.export(id, "#{@dir}/out", cancel: TinyCI::CancelToken.new)
      assert_path_exists "#{@dir}/out/.tinyci.yml"
    end
  end
end
