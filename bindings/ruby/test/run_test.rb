# frozen_string_literal: true

require_relative "support"

class RunTest < Minitest::Test
  include Support

  def test_events_come_in_order_and_records_remain
    id = commit("build: printf 'one\\ntwo\\n'\ntest: exit 3\n")
    open_engine(settings: { passEnv: "*" }) do |engine|
      events = []
      run = engine.run { |event| events << event }
      assert_equal (1..events.size).to_a, events.map(&:sequence)
      assert_equal %i[planned job_started exported], events.first(3).map(&:kind)
      output = events.select(&:output?)
      assert_equal "one\ntwo\n", output.map(&:data).join
      assert_equal [Encoding::BINARY, :stdout, "build", id],
                   [output[0].data.encoding, output[0].stream, output[0].step, output[0].commit]
      assert_equal [:finished, :failure], [events.last.kind, events.last.outcome]
      assert_equal "finished", events.last.to_h["event"]
      assert_nil output[0].to_h
      record = run.records.fetch(0)
      assert_equal record.json, events.find(&:job_finished?).record.json
      assert_equal [id, :failure, false, "main"],
                   [record.commit, record.outcome, record.passed?, record.branch]
      assert_equal [["build", :success, 0], ["test", :failure, 3]],
                   record.steps.map { |step| [step.name, step.outcome, step.exit_code] }
      assert_in_delta Time.now, record.started_at, PATIENCE
    end
  end

  def test_without_a_block_a_run_is_enumerable
    commit("build: echo hello\n")
    open_engine do |engine|
      run = engine.run
      refute run.done?
      assert_equal "hello\n", run.lazy.select(&:output?).map(&:text).to_a.join
      assert run.done?
      assert_empty run.to_a
      assert run.records.fetch(0).passed?
    end
  end

  # An enumerator that is asked from outside runs in a fiber, on a small stack.
  def test_an_enumerator_gives_one_event_after_the_other
    commit(%(fn build(ctx) { sh("echo deep") }\n), ".tinyci.rhai")
    open_engine do |engine|
      events = engine.run.each
      assert_kind_of Enumerator, events
      kinds = []
      loop { kinds << events.next.kind }
      assert_equal %i[planned finished], [kinds.first, kinds.last]
      assert_includes kinds, :output
      assert engine.records.fetch(0).passed?
    end
  end

  def test_an_event_loop_polls_and_waits_on_the_descriptor
    commit("build: sleep 0.1 && echo hello\n")
    open_engine do |engine|
      run = engine.run
      kinds = []
      until run.done?
        event = run.poll
        next kinds << event.kind if event

        readable, = IO.select([run], nil, nil, PATIENCE) unless run.done?
        assert_equal [run], readable unless run.done?
      end
      assert_equal :finished, kinds.last
      assert_nil run.poll
    end
  end

  def test_other_threads_run_meanwhile
    commit("build: |\n  until [ -e #{@dir}/go ]; do sleep 0.05; done\n")
    open_engine do |engine|
      thread = Thread.new { FileUtils.touch("#{@dir}/go") }
      run = Timeout.timeout(PATIENCE) { engine.run { nil } }
      thread.join
      assert run.records.fetch(0).passed?
    end
  end

  def test_two_engines_run_at_once_in_two_threads
    other = File.join(@dir, "other")
    barrier = lambda do |mine, theirs|
      "build: |\n  touch #{@dir}/#{mine}\n  until [ -e #{@dir}/#{theirs} ]; do sleep 0.05; done\n"
    end
    commit(barrier.call("a", "b"))
    git("init", "--quiet", "--initial-branch=main", other, dir: @dir)
    File.write("#{other}/.tinyci.yml", barrier.call("b", "a"))
    git("add", "--all", dir: other)
    git("commit", "--quiet", "--message", "One", dir: other)
    runs = [@repository, other].map do |path|
      Thread.new { TinyCI.open(path) { |engine| engine.run { nil }.records } }
    end
    assert_equal [[:success]] * 2, runs.map { |run| run.value.map(&:outcome) }
  end

  def test_a_busy_repository_is_an_error_and_can_be_followed
    commit("build: |\n  until [ -e #{@dir}/go ]; do sleep 0.05; done\n  echo done\n")
    open_engine do |engine|
      exported = Queue.new
      first = Thread.new { engine.run { |event| exported << event if event.exported? } }
      exported.pop
      busy = assert_raises(TinyCI::Error) { engine.run { flunk } }
      assert_equal :busy, busy.code
      followed = engine.follow("HEAD")
      FileUtils.touch("#{@dir}/go")
      assert_includes followed.select(&:output?).map(&:text).join, "done"
      assert_empty followed.records
      assert first.value.records.fetch(0).passed?
    end
  end

  def test_a_run_that_cannot_begin_keeps_its_error
    commit("build: exit 0\n")
    open_engine do |engine|
      run = engine.run("nowhere")
      error = assert_raises(TinyCI::Error) { run.each { flunk } }
      assert_equal :not_found, error.code
      assert run.done?
      assert_equal error, assert_raises(TinyCI::Error) { run.records }
    end
  end

  def test_an_open_run_has_no_records_and_a_closed_one_gives_nothing
    commit("build: exit 0\n")
    open_engine do |engine|
      run = engine.run
      assert_equal :invalid_arg, assert_raises(TinyCI::Error) { run.records }.code
      run.close
      run.close
      error = assert_raises(TinyCI::Error) { run.each { flunk } }
      assert_equal "this run was closed", error.message
      assert_empty verdicts
    end
  end
end
