# frozen_string_literal: true

require_relative "error"
require_relative "record"

module TinyCI
  # Something that a run asks its host for. It is answered once; without an answer its step fails. By
  # an exception there is no verdict.
  class Request
    # What is asked for: the hook's name, the function's, the secret's, or the command's text.
    attr_reader :name
    # The commit's full id, the attempt at it, the phase or hook, and the branch of a script's
    # `parallel` or its group (nil where there is none).
    attr_reader :commit, :job, :step, :label
    # The folder that holds the commit's tree.
    attr_reader :export_dir

    def initialize(address, _event)
      @address = address
      @lock = Mutex.new
      @name, @commit, @job, @step, @label, @export_dir =
        %w[name commit job step label export_dir].map do |part|
          Native.value(:"tinyci_request_#{part}", address)
        end
    end

    # Whether nobody waits for the answer any more, so that long work can end early.
    def canceled?
      @lock.synchronize { @address.nil? || Native.value(:tinyci_request_canceled, @address) == 1 }
    end

    # Refuses: the step fails with this message. Ends the handler that it is called in.
    def fail(message = "refused", code: 0) = raise(Refused.new(message, code: code))

    # Answers for an exception of the host's: a refusal, or a fault.
    def refuse(error)
      return answer(:tinyci_request_fail, plain(error.message), error.code) if error.is_a?(Refused)

      answer(:tinyci_request_abort, plain("#{error.class}: #{error.message}"), 0)
    end

    # Frees a request that was not answered, so that its step fails.
    def abandon
      @lock.synchronize do
        Native.value(:tinyci_request_free, @address) if @address
        @address = nil
      end
    end

    def inspect = "#<#{self.class} #{name} of #{commit[0, 10]}>"

    private

    # A text that the library takes.
    def plain(text)
      text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub.delete("\0")
    end

    # Answers, unless it was answered. That nobody waits for it any more is no error.
    def answer(function, *values)
      # No exception from outside comes between the call and what is remembered of it.
      Thread.handle_interrupt(Exception => :never) do
        @lock.synchronize { give(function, values) if @address }
      end
    end

    # The call takes the request for good, except if Ruby did not get as far as making it.
    def give(function, values)
      Native.call(function, @address, *values)
      @address = nil
    rescue Error => error
      @address = nil
      raise unless error.status == :canceled
    end
  end
end
