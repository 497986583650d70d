# frozen_string_literal: true

require_relative "request"

module TinyCI
  # A request for the value of a secret.
  class Secret < Request
    def serve(handlers)
      value = handlers.secrets.call(self)
      # tinyci then looks in the directory of `tinyci.secretsDir`.
      return answer(:tinyci_request_return_null) if value.nil?

      bytes = String(value)
      answer(:tinyci_request_return_bytes, bytes, bytes.bytesize)
    end
  end
end
