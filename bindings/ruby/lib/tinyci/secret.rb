# frozen_string_literal: true

require_relative "request"

module TinyCI
  # The value of a secret.
  class Secret < Request
    def serve(host)
      value = host.secrets.call(self)
      # The folder of `tinyci.secretsDir` is looked into.
      return answer(:tinyci_request_return_null) if value.nil?

      bytes = String(value)
      answer(:tinyci_request_return_bytes, bytes, bytes.bytesize)
    end
  end
end
