# frozen_string_literal: true

require_relative "approval"
require_relative "command"
require_relative "function"
require_relative "function_call"
require_relative "hook"
require_relative "secret"

module TinyCI
  # The callbacks that the keywords of TinyCI.open register.
  class Handlers
    # The requests that they can answer, by the kind of their event.
    REQUESTS = { hook: Hook, function: FunctionCall, secret: Secret, approval: Approval,
                 command: Command }.freeze
    private_constant :REQUESTS

    # Takes the request of the event at an address. Returns nil if it is not a request, or one of a
    # later version: its step fails.
    def self.take(event, kind)
      request = REQUESTS[kind] or return
      address = Native.value(:tinyci_event_take_request, event)
      request.new(address, event) unless address.zero?
    end

    attr_reader :hooks, :functions, :secrets, :approvals, :executor

    def initialize(hooks: {}, functions: {}, secrets: nil, approvals: nil, executor: nil)
      @hooks = hooks.to_h { |point, hook| [point.to_s, callable(hook, "the hook #{point}")] }
      @functions = functions.to_h { |name, function| [name.to_s, Function.wrap(function)] }
      # A Hash of secrets becomes a callable.
      @secrets = secrets.is_a?(Hash) ? ->(secret) { secrets[secret.name] } : secrets
      @approvals = approvals
      @executor = executor
      { secrets: @secrets, approvals: @approvals, executor: @executor }.each do |name, handler|
        callable(handler, "the option #{name}") if handler
      end
    end

    # Registers the callbacks in the options at an address.
    def register(options)
      hooks.each_key { |point| Native.call(:tinyci_options_add_hook, options, Native.utf8(point)) }
      functions.each { |name, function| function.add(options, name) }
      Native.call(:tinyci_options_set_handlers, options, mask)
    end

    private

    def mask
      (secrets ? Header::HANDLER_SECRET : 0) | (approvals ? Header::HANDLER_APPROVAL : 0) |
        (executor ? Header::HANDLER_EXECUTOR : 0)
    end

    def callable(handler, what)
      return handler if handler.respond_to?(:call)

      raise ArgumentError, "#{what} has no `call`: #{handler.inspect}"
    end
  end
end
