# frozen_string_literal: true

require_relative "support"

class HostTest < Minitest::Test
  include Support

  def run_with(**host)
    output = +""
    open_engine(**host) do |engine|
      run = engine.run { |event| output << event.data if event.output? }
      [run.records.fetch(0), output]
    end
  end

  def step(record, name) = record.steps.find { |step| step.name == name }

  def test_a_hook_sets_variables
    commit("build: echo <%= release %> <%= short %>\ntest: echo <%= edition %>\n")
    seen = nil
    before_build = lambda do |hook|
      exported = File.exist?("#{hook.export_dir}/.tinyci.yml")
      seen = [hook.name, hook.step, hook.outcome, exported, hook.commit]
      hook.vars["release"] = 42
      hook.vars.update(edition: "v1")
      assert_equal [42, { "release" => 42, "edition" => "v1" }], [hook.vars["release"], hook.vars.to_h]
    end
    record, output = run_with(hooks: { before_build: before_build })
    assert_equal ["before_build", "before_build", :success, true, record.commit], seen
    assert_equal "42 #{record.commit[0, 7]}", output.lines[0].chomp[0, 10]
    assert_equal "v1\n", output.lines[1]
  end

  def test_a_hook_leaves_out_what_the_config_has
    commit("build: exit 0\nhooks:\n  before_test: echo never\n")
    skip = ->(hook) { hook.skip("not today") && flunk }
    record, output = run_with(hooks: { "before_test" => skip })
    assert record.passed?
    assert_equal [:skipped, "skipped: not today"], step(record, "before_test").to_a.values_at(1, 3)
    assert_empty output
  end

  def test_a_hook_refuses
    commit("build: echo never\nhooks:\n  after_all: echo last\n")
    refuse = ->(hook) { hook.fail("frozen", code: 7) && flunk }
    record, output = run_with(hooks: { before_build: refuse })
    assert_equal [:failure, "frozen (code 7)"], step(record, "before_build").to_a.values_at(1, 3)
    assert_equal "last\n", output
  end

  def test_an_exception_leaves_no_verdict_and_comes_out_when_the_run_is_over
    id = commit("build: echo never\nhooks:\n  after_all: echo last\n")
    output = +""
    error = assert_raises(KeyError) do
      failing = ->(_) { raise KeyError, "no such\0 \xFF thing" }
      open_engine(hooks: { before_build: failing }) do |engine|
        engine.run { |event| output << event.data if event.output? }
      end
    end
    assert_includes error.message, "no such"
    assert_equal "last\n", output
    record = open_engine { |engine| engine.records(id) }.fetch(0)
    assert_equal :error, record.outcome
    said = step(record, "before_build").error
    assert_includes said, "KeyError: no such \uFFFD thing"
    assert_equal :host_fault, error.cause.code
    assert_includes error.cause.message, said
    assert_empty verdicts
  end

  def test_a_bad_variable_is_an_error_where_it_is_set
    commit("build: exit 0\n")
    bad = ->(hook) { hook.vars["No"] = 1 }
    error = assert_raises(TinyCI::Error) { run_with(hooks: { before_build: bad }) }
    assert_equal :invalid_arg, error.code
  end

  VALUES = <<~RHAI
    fn build(ctx) {
        let values = [(), true, false, 0, -9223372036854775808, 9223372036854775807, 1.5,
                      "", "a\\u0000b", "é", [], [1, [2, "x"]], #{"#"}{a: 1, b: #{"#"}{c: [()]}}];
        for value in values {
            let back = same(value);
            if type_of(back) != type_of(value) { throw `${value} came back as ${back}`; }
            if to_json(#{"#"}{v: back}) != to_json(#{"#"}{v: value}) { throw `${back}`; }
        }
        if sum(1) != 1 || sum(1, 2, 3) != 6 { throw "sum"; }
        try { refuse(); throw "it was not refused"; }
        catch (e) { if !`${e}`.contains("no, said the host") { throw e; } }
    }
  RHAI

  def test_every_value_goes_to_a_function_and_back
    commit(VALUES, ".tinyci.rhai")
    seen = []
    record, = run_with(functions: {
      same: ->(value) { seen << value; value },
      "sum" => ->(first, *rest) { rest.sum(first) },
      refuse: -> { raise TinyCI::Refusal, "no, said the host" }
    })
    assert record.passed?, record.json
    assert_equal [nil, true, false, 0, -(1 << 63), (1 << 63) - 1, 1.5, "", "a\0b", "é", [],
                  [1, [2, "x"]], { "a" => 1, "b" => { "c" => [nil] } }], seen
  end

  def test_what_scripts_have_no_value_for_leaves_no_verdict_and_is_an_error
    [Object.new, 1 << 63, "\xFF", [Float::NAN]].each_with_index do |value, index|
      commit("fn build(ctx) { odd() }\n", ".tinyci.rhai", index: index.to_s)
      assert_raises(TypeError, RangeError, JSON::GeneratorError) do
        run_with(functions: { odd: -> { value } })
      end
      assert_equal :error, open_engine { |engine| engine.records("HEAD").fetch(0).outcome }
    end
  end

  def test_no_script_catches_a_mistake
    commit("fn build(ctx) { try { odd() } catch { } }\n", ".tinyci.rhai")
    own = KeyError.new("mine")
    error = assert_raises(KeyError) { run_with(functions: { odd: -> { raise own } }) }
    assert_same own, error
    assert_equal :error, open_engine { |engine| engine.records("HEAD").fetch(0).outcome }
    record, = run_with(functions: { odd: -> { raise TinyCI::Refusal } })
    assert record.passed?, record.json
  end

  def test_functions_say_what_they_do_and_take
    commit("fn build(ctx) { if region() == \"eu\" { notify(\"x\") } }\n", ".tinyci.rhai")
    called = []
    region = lambda do
      called << :region
      "eu"
    end
    functions = { region: TinyCI::Function.new(region, effect: :pure, doc: "Where it runs."),
                  notify: ->(_) { called << :notify } }
    run_with(functions: functions)
    assert_equal %i[region notify], called
    assert_equal 0..8, TinyCI::Function.new(->(*) {}).arity
    assert_equal 1..2, TinyCI::Function.new(->(a, b = 1) {}).arity
    assert_equal 1..2, TinyCI::Function.new(proc { |a, b = 1| }).arity
    assert_raises(ArgumentError) { TinyCI::Function.new(->(key:) {}) }
    assert_raises(ArgumentError) { TinyCI::Function.new(-> {}, effect: :odd).add(0, "f") }
  end

  def test_secrets_are_answered_and_masked
    commit("build:\n  run: echo \"token $TOKEN\"\n  secrets: [TOKEN]\n")
    refs = { settings: { secretRefs: "refs/heads/*" } }
    record, output = run_with(secrets: { "TOKEN" => "s3cr3t-value" }, **refs)
    assert record.passed?, record.json
    refute_includes output, "s3cr3t-value"
    assert_includes output, "token"
    open_engine { |engine| engine.forget("HEAD") }
    names = []
    record, = run_with(secrets: ->(secret) { names << secret.name; nil }, **refs)
    assert_equal ["TOKEN"], names
    refute record.passed?
  end

  def test_a_host_that_cannot_answer_is_told_at_once
    assert_raises(ArgumentError) { open_engine(hooks: { before_build: 1 }) }
    assert_raises(ArgumentError) { open_engine(executor: 1) }
    assert_raises(ArgumentError) { open_engine(functions: { f: 1 }) }
    error = assert_raises(TinyCI::Error) { open_engine(hooks: { odd: -> {} }) }
    assert_equal :invalid_arg, error.code
  end
end
