# frozen_string_literal: true

require_relative "tinyci/engine"
require_relative "tinyci/version"

# Continuous integration as a library: state inside the git repository, no daemon.
#
#   TinyCI.open("/srv/git/app.git", jobs: 2) do |engine|
#     run = engine.run { |event| $stdout.write(event.data) if event.output? }
#     run.records.each { |record| puts "#{record.commit} #{record.outcome}" }
#   end
module TinyCI
  class << self
    # Opens exactly this repository: a bare one, the top of a work tree, or a `.git` folder. With a
    # block, gives it the engine, closes that behind it and returns the block's value.
    #
    # Options, each in the place of the repository's own setting:
    #
    # refs::         full ref names whose commits are run; `*` stands for any letters
    # jobs::         how many commits are worked on at once
    # timeout::      how many seconds one commit may take
    # builds_dir::   where build folders stand
    # log_limit:: how many bytes of one build's output its log keeps
    # settings::     what `git config tinyci.<key>` would set; an Array for a key with many values
    # env::          variables in the environment of every command; nil takes one out
    # vars::         variables that every command can use in a tag
    # by::           who acts, as records name it: name and address
    #
    # What the host answers for, called in the loop that reads the run:
    #
    # hooks::        by point, such as `before_build`: called with a Hook
    # functions::    by name: what scripts can call; a Function where a plan should know more of it
    # secrets::      a Hash, or called with a Secret; nil has `tinyci.secretsDir` looked into
    # approvals::    called with an Approval, where none in the repository counts; returns who
    #                approves, or true, or nil for a deployment that is to wait. Where
    #                `tinyci.approvers` lists somebody, only if this process runs as an account there
    # executor::     called with a Command, in a thread of its own; returns its exit code or
    #                Process::Status
    #
    # Raises Error.
    def open(path, **options, &block) = opened(:tinyci_engine_open, path, block, **options)

    # Opens the repository that a directory is in: the nearest one at the directory or above it. Takes
    # what `open` takes.
    def discover(dir = ".", **options, &block)
      opened(:tinyci_engine_discover, dir, block, **options)
    end

    # The reference of the script API: what `tinyci defs` prints. `format` is :json, :markdown or
    # :rhai. Engine#definitions has the host's functions in it, too.
    def definitions(format = :markdown)
      Native.text(:tinyci_definitions, 0, Native.number(:DEFINITIONS, format))
    end

    # A pipeline from a YAML text, or from a script that imports nothing and calls no functions of
    # the host's (Engine#parse for those).
    def parse(text, format: :yaml, name: "pipeline")
      text = Native.utf8(text)
      Pipeline.new(Native.make(:tinyci_pipeline_parse, 0, text, text.bytesize,
                               Native.number(:FORMAT, format), Native.utf8(name)))
    end

    # Fills the tags of a template in, `<%= name %>`, with values that a shell takes for a word.
    def interpolate(template, vars = {})
      Native.with_new(:vars) do |address|
        vars.each do |name, value|
          Native.call(:tinyci_vars_set, address, Native.utf8(name), Native.utf8(value))
        end
        Native.text(:tinyci_interpolate, Native.utf8(template), address)
      end
    end

    # The version of the library that is used, which may be newer than the gem's VERSION.
    def library_version = Native.value(:tinyci_version)

    # Where it came from: a path, or a name that the system's loader knows.
    def library_path = Library.path

    # Whether it was built with a feature: "rhai" for pipelines that are scripts.
    def feature?(name) = Native.value(:tinyci_has_feature, Native.utf8(name)) == 1

    private

    def opened(function, path, block, hooks: {}, functions: {}, secrets: nil, approvals: nil,
               executor: nil, **options)
      host = Host.new(hooks: hooks, functions: functions, secrets: secrets, approvals: approvals,
                      executor: executor)
      engine = Engine.new(path, host, options, function)
      return engine unless block

      begin
        block.call(engine)
      ensure
        engine.close
      end
    end
  end
end
