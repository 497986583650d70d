# frozen_string_literal: true

require_relative "native"

module TinyCI
  # Selects commits, by the arguments that methods of Engine take:
  #
  #   engine.run                                         # all pending commits
  #   engine.run("HEAD", "v1.0", retry: true)            # these commits, once more
  #   engine.run(range: "v1.0..main", wait: 60)
  #   engine.run(hook_lines: $stdin.read, wait: true)    # what was pushed
  #
  # `push_options` are the options of `git push -o`. With `ci.skip` the pushed commits are not
  # tested.
  #
  # `assume` is the output that Engine#plan assumes of commands, by globs over the commands. The
  # first match applies.
  #
  # `wait` says what to do if another run is active: false raises an Error with the code :busy, a
  # number follows the other run for that many seconds, true follows it without a limit.
  module Selection
    KEYWORDS = %i[
      range updates hook_lines push_options wait retry replace_live all_history pipeline assume
    ].freeze

    class << self
      # Passes the block the selection's address, 0 for all pending commits.
      def with(revisions, options)
        unknown = options.keys - KEYWORDS
        unless unknown.empty?
          raise ArgumentError, "unknown #{unknown.map(&:inspect).join(", ")}: known are " \
                               "#{KEYWORDS.map(&:inspect).join(", ")}"
        end
        return yield 0 if revisions.empty? && options.empty?

        Native.with_new(:selection) do |address|
          add(address, revisions, options)
          set(address, options)
          yield address
        end
      end

      private

      def add(address, revisions, options)
        revisions.each { |revision| text(:add_revision, address, revision) }
        Array(options[:range]).each { |range| text(:add_range, address, range) }
        Array(options[:updates]).each { |old, new, ref| text(:add_update, address, old, new, ref) }
        Array(options[:push_options]).each { |option| text(:add_push_option, address, option) }
        (options[:assume] || {}).each { |pair| text(:add_assumption, address, *pair) }
        return unless options.key?(:hook_lines)

        lines = options[:hook_lines]
        Native.call(:tinyci_selection_add_hook_lines, address, lines, lines.bytesize)
      end

      def set(address, options)
        waiting = options[:wait]
        milliseconds = waiting == true ? -1 : Native.milliseconds(waiting || 0)
        Native.call(:tinyci_selection_set_wait_ms, address, milliseconds)
        %i[retry replace_live all_history].each do |name|
          Native.call(:"tinyci_selection_set_#{name}", address, options[name] ? 1 : 0)
        end
        return unless options.key?(:pipeline)

        Native.call(:tinyci_selection_set_pipeline, address, options[:pipeline]&.address)
      end

      def text(setter, address, *values)
        values = values.map { |value| Native.utf8(value) }
        Native.call(:"tinyci_selection_#{setter}", address, *values)
      end
    end
  end
end
