# frozen_string_literal: true

require_relative "native"

module TinyCI
  # What git knows of a commit.
  class Commit
    # The full id, and that of its tree.
    attr_reader :id, :tree
    # The branch that it is judged for, or nil; U+FFFD stands for what is not UTF-8.
    attr_reader :branch
    # The first paragraph of its message, on one line.
    attr_reader :subject
    # The same as git holds them, in any encoding.
    attr_reader :branch_bytes, :subject_bytes
    # The committer's.
    attr_reader :time

    # Copies the commit at an address.
    def initialize(address)
      @id, @tree, @branch, @subject =
        %w[id tree branch subject].map { |part| Native.value(:"tinyci_commit_#{part}", address) }
      @branch_bytes = Native.bytes(:tinyci_commit_branch_bytes, address)
      @subject_bytes = Native.bytes(:tinyci_commit_subject_bytes, address)
      @time = Time.at(Native.value(:tinyci_commit_time, address))
      freeze
    end

    def to_s = id

    def inspect = "#<#{self.class} #{id[0, 10]} #{subject.inspect}>"
  end
end
