#!/usr/bin/env ruby
# frozen_string_literal: true

# Deploys the newest green commit of a repository to a folder on this machine: shows what changes,
# asks, and switches a link.
#
#   ruby deploy.rb [--yes] [--branch NAME] REPOSITORY TARGET
#
#   TARGET/releases/<commit>   the trees that were deployed; the newest five are kept
#   TARGET/current             a link to the one that is live, always to a whole one
#
# Exits with 0 if it is deployed or was already, 1 if nobody agreed or nothing is green, 2 if it was
# called in a wrong way, and 4 if tinyci could not work. (The `deploy` of a pipeline does more: it
# is recorded, and can be approved of and taken back.)

require "fileutils"
require "optparse"
require "tinyci"

KEEP = 5

# One folder that releases are deployed to.
class Target
  def initialize(folder)
    @current = File.join(folder, "current")
    @releases = File.join(folder, "releases")
  end

  # The commit that is live, or nil.
  def live = File.symlink?(@current) ? File.basename(File.readlink(@current)) : nil

  def deploy(engine, commit)
    release = File.join(@releases, commit)
    unless File.exist?(release)
      # Under its own name only once it is whole.
      coming = "#{release}.coming"
      FileUtils.rm_rf(coming)
      FileUtils.mkdir_p(@releases)
      engine.export(commit, coming)
      File.rename(coming, release)
    end
    FileUtils.touch(release)
    File.symlink("releases/#{commit}", "#{@current}.new")
    File.rename("#{@current}.new", @current)
    clean
  end

  private

  def clean
    releases = Dir[File.join(@releases, "*")].sort_by { |release| File.mtime(release) }.reverse
    FileUtils.rm_rf(releases.drop(KEEP))
  end
end

def git(repository, *arguments)
  IO.popen(["git", "-C", repository, *arguments], &:read)
end

def show(repository, live, record)
  since = record.started_at + record.duration
  puts "#{record.commit[0, 10]} of #{record.branch} is green since #{since}"
  range = live ? "#{live}..#{record.commit}" : record.commit
  puts git(repository, "log", "--oneline", "--no-decorate", "--max-count=20", range)
end

def agreed?
  abort "not a terminal: say --yes to deploy without being asked" unless $stdin.tty?

  print "Deploy? [y/N] "
  $stdin.gets.to_s.strip.casecmp?("y")
end

def newest_green(engine, branch)
  engine.records(outcome: :success).find { |record| branch.nil? || record.branch == branch }
end

def main
  yes = branch = nil
  parser = OptionParser.new("usage: deploy.rb [--yes] [--branch NAME] REPOSITORY TARGET")
  parser.on("--yes", "do not ask") { yes = true }
  parser.on("--branch NAME", "only commits of this branch") { |name| branch = name }
  arguments = parser.parse(ARGV)
  raise OptionParser::MissingArgument, "REPOSITORY and TARGET" unless arguments.size == 2

  repository, target = arguments[0], Target.new(arguments[1])
  TinyCI.open(repository) do |engine|
    record = newest_green(engine, branch) or abort "nothing is green yet"
    return puts("#{record.commit[0, 10]} is live already") if record.commit == target.live

    show(repository, target.live, record)
    abort "nothing was deployed" unless yes || agreed?
    target.deploy(engine, record.commit)
    puts "#{record.commit[0, 10]} is live"
  end
rescue OptionParser::ParseError => error
  warn "deploy.rb: #{error.message}", parser
  exit 2
rescue TinyCI::Error, SystemCallError => error
  warn "deploy.rb: #{error.message}"
  exit 4
end

main if $PROGRAM_NAME == __FILE__
