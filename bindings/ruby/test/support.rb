# frozen_string_literal: true

require "fileutils"
require "minitest/autorun"
require "open3"
require "pathname"
require "rbconfig"
require "timeout"
require "tmpdir"
require "tinyci"

# Real repositories, and real Ruby programs in separate processes.
module Support
  # The time limit for something that takes no time on an idle machine, in seconds.
  PATIENCE = 60
  LIBRARY = File.expand_path("../lib", __dir__)
  GIT = { "GIT_CONFIG_GLOBAL" => "/dev/null", "GIT_CONFIG_SYSTEM" => "/dev/null",
          "GIT_AUTHOR_NAME" => "Ada", "GIT_AUTHOR_EMAIL" => "ada@example.org",
          "GIT_COMMITTER_NAME" => "Ada", "GIT_COMMITTER_EMAIL" => "ada@example.org" }.freeze

  def setup
    @dir = Dir.mktmpdir("tinyci-ruby")
    @repository = File.join(@dir, "app")
    git("init", "--quiet", "--initial-branch=main", @repository, dir: @dir)
  end

  def teardown
    FileUtils.rm_rf(@dir)
  end

  def git(*arguments, dir: @repository, env: {})
    output, status = Open3.capture2e(GIT.merge(env), "git", *arguments, chdir: dir)
    raise "git #{arguments.join(" ")}: #{output}" unless status.success?

    output.chomp
  end

  # Commits a config, and other files, and returns the commit's id.
  def commit(config, file = ".tinyci.yml", **files)
    files.merge(file => config).each do |name, text|
      File.write(File.join(@repository, name.to_s), text)
    end
    git("add", "--all")
    # Builds are told apart, and put in order, by seconds.
    @clock = (@clock || Time.now.to_i - 1000) + 1
    date = "@#{@clock} +0000"
    git("commit", "--quiet", "--message", "Change #{file}",
        env: { "GIT_AUTHOR_DATE" => date, "GIT_COMMITTER_DATE" => date })
    git("rev-parse", "HEAD")
  end

  def open_engine(**options, &block) = TinyCI.open(@repository, **options, &block)

  # Returns the verdicts in the notes: none for a run that was interrupted.
  def verdicts
    git("notes", "--ref", "tinyci-result", "list").lines
  rescue RuntimeError
    []
  end

  def eventually(what)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + PATIENCE
    loop do
      result = yield
      return result if result

      flunk("#{what} did not happen") if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
      Thread.pass
      IO.select(nil, nil, nil, 0.01)
    end
  end

  def alive?(pid)
    # A dead process that its parent has not awaited yet is a zombie.
    !File.read("/proc/#{pid}/stat").match?(/\) [ZX] /)
  rescue Errno::ENOENT, Errno::ESRCH
    false
  end

  # A config whose build prints its pid and then prints nothing forever. The pid comes as output
  # after everything is set up: an engine that is killed before has no guard for the build yet.
  def silent_build
    %(build: "echo $$; exec sleep 1000"\n)
  end

  # Returns the pid that a silent build printed to a program of the test.
  def build_pid
    eventually("the build") { File.exist?("#{@dir}/pid") }
    Integer(File.read("#{@dir}/pid"))
  end

  # Starts a Ruby program in a separate process group, with the repository as its argument. It can
  # pass the build's pid to the test.
  def program(text)
    path = File.join(@dir, "program.rb")
    File.write(path, <<~RUBY)
      require "tinyci"
      def tell(event)
        File.write("#{@dir}/pid.new", event.data)
        File.rename("#{@dir}/pid.new", "#{@dir}/pid")
      end
      #{text}
    RUBY
    log = File.join(@dir, "program.log")
    pid = Process.spawn(RbConfig.ruby, "-I", LIBRARY, path, @repository,
                        out: log, err: %i[child out], in: File::NULL, pgroup: true)
    [pid, log]
  end

  # Waits for a program's end, and returns its status.
  def status_of(pid)
    Timeout.timeout(PATIENCE) { Process.wait2(pid).last }
  end
end
