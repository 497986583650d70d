# frozen_string_literal: true

require_relative "tinyci/engine"
require_relative "tinyci/version"

# tinyci, a CI system that you can embed. There is no daemon; all state is in the git repository.
#
#   TinyCI.open("/srv/git/app.git", jobs: 2) do |engine|
#     run = engine.run { |event| $stdout.write(event.data) if event.output? }
#     run.records.each { |record| puts "#{record.commit} #{record.outcome}" }
#   end
module TinyCI
  class << self
    # Opens the repository at exactly this path: a bare one, the top of a working tree, or a `.git`
    # directory. With a block, passes it the engine, closes the engine afterwards, and returns the
    # block's value.
    #
    # Options, each of which replaces a setting of the repository:
    #
    # refs::         globs of full ref names whose commits are tested; `*` matches any characters
    # jobs::         how many commits are tested at the same time
    # job_timeout::  the time limit of one job in seconds
    # builds_dir::   the directory of the builds
    # log_limit::    how many bytes of output the log keeps per job
    # settings::     values of `git config tinyci.<key>`; an Array for a key with several values
    # env::          environment variables of every command; nil removes one
    # vars::         variables that every command can use as placeholders
    # by::           the actor that records name: name and address
    #
    # Callbacks, which the loop that reads the run calls:
    #
    # hooks::        by hook, such as `before_build`: called with a Hook
    # functions::    by name: what scripts can call; a Function to set its effect and documentation
    # secrets::      a Hash, or called with a Secret; for nil tinyci looks in `tinyci.secretsDir`
    # approvals::    called with an Approval if the repository has none that counts; returns the
    #                approver, or true, or nil if there is no approval yet. If `tinyci.approvers` is
    #                set, it is called only if the account of this process is listed there
    # executor::     called with a Command, on a separate thread; returns its exit code or a
    #                Process::Status
    #
    # Raises Error.
    def open(path, **options, &block) = opened(:tinyci_engine_open, path, block, **options)

    # Opens the nearest repository: the one at the directory, or in the nearest directory above it.
    # Takes the arguments of `open`.
    def discover(dir = ".", **options, &block)
      opened(:tinyci_engine_discover, dir, block, **options)
    end

    # Returns the script API reference, as `tinyci defs` prints it. `format` is :json, :markdown or
    # :rhai. Engine#definitions also has the registered functions.
    def definitions(format = :markdown)
      Native.text(:tinyci_definitions, 0, Native.number(:DEFINITIONS, format))
    end

    # Parses a pipeline in YAML, or a script that imports no files and calls no registered functions
    # (Engine#parse can do both).
    def parse(text, format: :yaml, name: "pipeline")
      text = Native.utf8(text)
      Pipeline.new(Native.make(:tinyci_pipeline_parse, 0, text, text.bytesize,
                               Native.number(:FORMAT, format), Native.utf8(name)))
    end

    # Fills in the placeholders `<%= name %>` of a template. Raises Error if a shell could take a
    # value for more than one word.
    def interpolate(template, vars = {})
      Native.with_new(:vars) do |address|
        vars.each do |name, value|
          Native.call(:tinyci_vars_set, address, Native.utf8(name), Native.utf8(value))
        end
        Native.text(:tinyci_interpolate, Native.utf8(template), address)
      end
    end

    # Returns the version of the loaded library, which may be newer than the gem's VERSION.
    def library_version = Native.value(:tinyci_version)

    # Returns the library's path, or its name if the system's loader found it.
    def library_path = Library.path

    # Returns true if the library was built with a feature, such as "rhai" for scripts.
    def feature?(name) = Native.value(:tinyci_has_feature, Native.utf8(name)) == 1

    private

    def opened(function, path, block, hooks: {}, functions: {}, secrets: nil, approvals: nil,
               executor: nil, **options)
      handlers = Handlers.new(hooks: hooks, functions: functions, secrets: secrets,
                              approvals: approvals, executor: executor)
      engine = Engine.new(path, handlers, options, function)
      return engine unless block

      begin
        block.call(engine)
      ensure
        engine.close
      end
    end
  end
end
