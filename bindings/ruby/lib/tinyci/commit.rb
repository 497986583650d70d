# frozen_string_literal: true

require_relative "native"

module TinyCI
  # Git's data about a commit.
  class Commit
    # The full ids of the commit and of its tree.
    attr_reader :id, :tree
    # The branch that it is tested for, or nil; U+FFFD replaces bytes that are not UTF-8.
    attr_reader :branch
    # The first paragraph of its message, on one line.
    attr_reader :subject
    # The same in git's own bytes.
    attr_reader :branch_bytes, :subject_bytes, :author_bytes, :message_bytes
    # The author, as `Name <address>`.
    attr_reader :author
    # The complete message.
    attr_reader :message
    # The full ids of its parents, in git's order.
    attr_reader :parents
    # All fields, as a line of JSON.
    attr_reader :json
    # The committer's time.
    attr_reader :time

    # Copies the commit at an address.
    def initialize(address)
      @id, @tree, @branch, @subject, @author, @message, @json =
        %w[id tree branch subject author message json].map do |part|
          Native.value(:"tinyci_commit_#{part}", address)
        end
      @branch_bytes, @subject_bytes, @author_bytes, @message_bytes =
        %w[branch subject author message].map do |part|
          Native.bytes(:"tinyci_commit_#{part}_bytes", address)
        end
      @parents = Array.new(Native.value(:tinyci_commit_parent_count, address)) do |index|
        Native.value(:tinyci_commit_parent, address, index)
      end.freeze
      @time = Time.at(Native.value(:tinyci_commit_time, address))
      freeze
    end

    def to_s = id

    def inspect = "#<#{self.class} #{id[0, 10]} #{subject.inspect}>"
  end
end
