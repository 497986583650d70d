# frozen_string_literal: true

require_relative "request"

module TinyCI
  # Whether a deployment may go on, which nobody approved of in the repository.
  class Approval < Request
    # Where to.
    alias environment name
    # What the script asks, for the person who decides; nil where the config only says that somebody
    # has to approve.
    attr_reader :question

    def initialize(address, event)
      super
      @question = Native.value(:tinyci_request_question, address)
    end

    def serve(host)
      case who = host.approvals.call(self)
      when nil, false then answer(:tinyci_request_return_null)
      when true then answer(:tinyci_request_ok)
      else answer(:tinyci_request_return_string, Native.utf8(who))
      end
    end
  end
end
