# frozen_string_literal: true

require_relative "error"
require_relative "record"

module TinyCI
  # One call of a callback. It is answered once; without an answer its step fails. If the callback
  # raises, there is no verdict.
  class Request
    # The name of the hook, function, secret or environment, or the command.
    attr_reader :name
    # The full id of the commit, the id of the job, the step, and the task of a script's `parallel`
    # or the group (nil if there is none).
    attr_reader :commit, :job_id, :step, :label
    # The directory with the commit's files.
    attr_reader :export_dir

    def initialize(address, _event)
      @address = address
      @lock = Mutex.new
      @name, @commit, @job_id, @step, @label, @export_dir =
        %w[name commit job_id step label export_dir].map do |part|
          Native.value(:"tinyci_request_#{part}", address)
        end
    end

    # Returns true if the answer is no longer needed, so that long work can end early.
    def canceled?
      @lock.synchronize { @address.nil? || Native.value(:tinyci_request_canceled, @address) == 1 }
    end

    # Refuses: the step fails with this message. Ends the callback.
    def fail(message = "refused", code: 0) = raise(Refusal.new(message, code: code))

    # Answers with an exception of the callback: a refusal, or a fault of the program.
    def refuse(error)
      return answer(:tinyci_request_fail, plain(error.message), error.code) if error.is_a?(Refusal)

      answer(:tinyci_request_abort, plain("#{error.class}: #{error.message}"), 0)
    end

    # Frees a request without an answer, so that its step fails.
    def abandon
      @lock.synchronize do
        Native.value(:tinyci_request_free, @address) if @address
        @address = nil
      end
    end

    def inspect = "#<#{self.class} #{name} of #{commit[0, 10]}>"

    private

    # Returns a string that C accepts.
    def plain(text)
      text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub.delete("\0")
    end

    # Answers, unless that was done before. If the answer is no longer needed, that is not an error.
    def answer(function, *values)
      # No exception from outside may come between the call and the note of it.
      Thread.handle_interrupt(Exception => :never) do
        @lock.synchronize { give(function, values) if @address }
      end
    end

    # The call consumes the request, unless Ruby failed to make the call.
    def give(function, values)
      Native.call(function, @address, *values)
      @address = nil
    rescue Error => error
      @address = nil
      raise unless error.code == :canceled
    end
  end
end
