# frozen_string_literal: true

require_relative "request"

module TinyCI
  # A deployment that needs an approval, which the repository does not have.
  class Approval < Request
    # The target environment.
    alias environment name
    # The question that a script asks the approver; nil if the config only requires an approval.
    attr_reader :question

    def initialize(address, event)
      super
      @question = Native.value(:tinyci_request_question, address)
    end

    def serve(handlers)
      case who = handlers.approvals.call(self)
      when nil, false then answer(:tinyci_request_return_null)
      when true then answer(:tinyci_request_ok)
      else answer(:tinyci_request_return_string, Native.utf8(who))
      end
    end
  end
end
