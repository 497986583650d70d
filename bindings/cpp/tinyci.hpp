// tinyci for C++17: owners, exceptions, ranges and values on top of tinyci.h. It needs the C
// library and nothing else to compile or link, and has no global state.
//
// ERRORS. A call that fails throws tinyci::error. A failed build is not an error but an outcome, of
// which only outcome::success is green.
// OBJECTS. Owners can be moved, not copied, and be destroyed in any order.
// CALLBACKS. The functions registered in tinyci::options run on the thread that pulls the events,
// inside its loop. If several threads each pull a run, they may call the same function at the same
// time. THREADS. Several threads may call const member functions of an object at the same time.
// Other member functions, and those of events, need exclusive access.

#ifndef TINYCI_HPP
#define TINYCI_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <locale>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <tinyci.h>

namespace tinyci {

// ---- The numbers of the header. Each may also have a value of a later library. ----

/// What a call of the C library returned. Every negative code is an error.
enum class code : std::int32_t {
    ok = TINYCI_OK,
    done = TINYCI_DONE,
    again = TINYCI_AGAIN,
    invalid_arg = TINYCI_INVALID_ARG,
    not_found = TINYCI_NOT_FOUND,
    not_a_repo = TINYCI_NOT_A_REPO,
    config = TINYCI_CONFIG,
    script = TINYCI_SCRIPT,
    interpolate = TINYCI_INTERPOLATE,
    git = TINYCI_GIT,
    io = TINYCI_IO,
    spawn = TINYCI_SPAWN,
    child_lost = TINYCI_CHILD_LOST,
    canceled = TINYCI_CANCELED,
    host_abort = TINYCI_HOST_ABORT,
    host_fault = TINYCI_HOST_FAULT,
    busy = TINYCI_BUSY,
    unsupported = TINYCI_UNSUPPORTED,
    wrong_process = TINYCI_WRONG_PROCESS,
    panic = TINYCI_PANIC,
    newer_format = TINYCI_NEWER_FORMAT,
};

/// How a step, a job, a run or a deployment ended. Read one that you do not know as not passed.
enum class outcome : std::int32_t {
    none = 0,
    success = TINYCI_OUTCOME_SUCCESS,
    failure = TINYCI_OUTCOME_FAILURE,
    timed_out = TINYCI_OUTCOME_TIMED_OUT,
    skipped = TINYCI_OUTCOME_SKIPPED,
    error = TINYCI_OUTCOME_ERROR,
    canceled = TINYCI_OUTCOME_CANCELED,
    /// Deployments only: a person must approve first.
    awaiting_approval = TINYCI_OUTCOME_AWAITING_APPROVAL,
    /// Deployments only: in progress.
    running = TINYCI_OUTCOME_RUNNING,
    /// Deployments only: the end is not recorded.
    interrupted = TINYCI_OUTCOME_INTERRUPTED,
    /// Lists of deployments only: nothing is deployed now.
    retired = TINYCI_OUTCOME_RETIRED,
};

/// The kind of an event. Kinds from `hook` on are requests. Ignore kinds that you do not know.
enum class event_kind : std::int32_t {
    planned = TINYCI_EVENT_PLANNED,
    job_started = TINYCI_EVENT_JOB_STARTED,
    exported = TINYCI_EVENT_EXPORTED,
    step_started = TINYCI_EVENT_STEP_STARTED,
    output = TINYCI_EVENT_OUTPUT,
    step_finished = TINYCI_EVENT_STEP_FINISHED,
    job_finished = TINYCI_EVENT_JOB_FINISHED,
    finished = TINYCI_EVENT_FINISHED,
    warning = TINYCI_EVENT_WARNING,
    waiting = TINYCI_EVENT_WAITING,
    deploy_started = TINYCI_EVENT_DEPLOY_STARTED,
    deploy_finished = TINYCI_EVENT_DEPLOY_FINISHED,
    hook = TINYCI_EVENT_HOOK,
    function = TINYCI_EVENT_FUNCTION,
    secret = TINYCI_EVENT_SECRET,
    approval = TINYCI_EVENT_APPROVAL,
    command = TINYCI_EVENT_COMMAND,
};

/// An output stream of a command.
enum class stream : std::int32_t {
    none = 0,
    standard_output = TINYCI_STREAM_STDOUT,
    standard_error = TINYCI_STREAM_STDERR,
};

/// Whether a registered function changes anything outside the script. A dry run calls the first
/// two.
enum class effect : std::int32_t {
    pure = TINYCI_EFFECT_PURE,
    control = TINYCI_EFFECT_CONTROL,
    external = TINYCI_EFFECT_EXTERNAL,
};

/// The language of a config.
enum class format : std::int32_t {
    yaml = TINYCI_FORMAT_YAML,
    rhai = TINYCI_FORMAT_RHAI,
};

/// A format of the script API reference.
enum class definitions_format : std::int32_t {
    json = TINYCI_DEFINITIONS_JSON,          ///< One line of JSON.
    markdown = TINYCI_DEFINITIONS_MARKDOWN,  ///< A page of Markdown.
    rhai = TINYCI_DEFINITIONS_RHAI,          ///< A definition file for the Rhai language server.
};

/// For engine::log: continue with new lines.
inline constexpr std::uint32_t log_follow = TINYCI_LOG_FOLLOW;
/// For engine::test_pipeline: report which lines the tests run.
inline constexpr std::uint32_t test_coverage = TINYCI_TEST_COVERAGE;
/// For engine::results: the records of all jobs of a commit, not only the one behind its verdict.
inline constexpr std::uint32_t results_all_attempts = TINYCI_RESULTS_ALL_ATTEMPTS;
/// For engine::copy_artifacts: replace existing files.
inline constexpr std::uint32_t artifacts_force = TINYCI_ARTIFACTS_FORCE;
/// For engine::run_step: keep the export directory for a day.
inline constexpr std::uint32_t steps_keep = TINYCI_STEPS_KEEP;
/// For engine::install: make git refuse pushes to the refs that contain verdicts.
inline constexpr std::uint32_t install_hide_refs = TINYCI_INSTALL_HIDE_REFS;
/// For engine::install: allow a hooks directory that several repositories use.
inline constexpr std::uint32_t install_shared_hooks = TINYCI_INSTALL_SHARED_HOOKS;
/// For engine::install: take over the builds in `tinyci.buildsDir` from a repository that no longer
/// exists.
inline constexpr std::uint32_t install_adopt_builds = TINYCI_INSTALL_ADOPT_BUILDS;
/// For engine::prune: remove nothing, and report what would be removed.
inline constexpr std::uint32_t prune_dry_run = TINYCI_PRUNE_DRY_RUN;
/// For engine::cancel: kill at once, without a grace period and without `after_all`.
inline constexpr std::uint32_t job_cancel_kill = TINYCI_JOB_CANCEL_KILL;
/// A timeout without a limit.
inline constexpr std::chrono::milliseconds forever{-1};

/// Returns the name in lower case, such as `not_found`, or `unknown` for a code of a later library.
inline std::string_view to_string(code number) {
    const char *name = tinyci_code_name(static_cast<std::int32_t>(number));
    return name == nullptr ? "unknown" : name;
}

/// Returns the name in lower case, such as `timed_out`, or `unknown` for an outcome of a later
/// library.
inline std::string_view to_string(outcome number) {
    const char *name = tinyci_outcome_name(static_cast<std::int32_t>(number));
    return name == nullptr ? "unknown" : name;
}

inline std::ostream &operator<<(std::ostream &out, code number) {
    return out << to_string(number);
}

inline std::ostream &operator<<(std::ostream &out, outcome number) {
    return out << to_string(number);
}

/// Returns the library's version, such as `0.1.0`.
inline std::string_view version() { return tinyci_version(); }
/// Returns the library's version as a number that increases with it: 1.2.3 is 1002003.
inline std::uint32_t version_number() { return tinyci_version_number(); }
/// Returns the version of the library's ABI.
inline std::uint32_t abi() { return tinyci_abi(); }
/// Returns true if the library was built with a feature, such as `rhai`.
inline bool has_feature(const std::string &name) { return tinyci_has_feature(name.c_str()) != 0; }

namespace detail {

/// Frees an object with the function of its type.
struct release {
    void operator()(char *it) const noexcept { tinyci_string_free(it); }
    void operator()(tinyci_cancel *it) const noexcept { tinyci_cancel_free(it); }
    void operator()(tinyci_commits *it) const noexcept { tinyci_commits_free(it); }
    void operator()(tinyci_deploy_request *it) const noexcept { tinyci_deploy_request_free(it); }
    void operator()(tinyci_engine *it) const noexcept { tinyci_engine_free(it); }
    void operator()(tinyci_error *it) const noexcept { tinyci_error_free(it); }
    void operator()(tinyci_options *it) const noexcept { tinyci_options_free(it); }
    void operator()(tinyci_pipeline *it) const noexcept { tinyci_pipeline_free(it); }
    void operator()(tinyci_records *it) const noexcept { tinyci_records_free(it); }
    void operator()(tinyci_request *it) const noexcept { tinyci_request_free(it); }
    void operator()(tinyci_run *it) const noexcept { tinyci_run_free(it); }
    void operator()(tinyci_selection *it) const noexcept { tinyci_selection_free(it); }
    void operator()(tinyci_vars *it) const noexcept { tinyci_vars_free(it); }
};

template <class Object>
using handle = std::unique_ptr<Object, release>;

/// Owns the result of a `*_new` function, which is NULL only if there is no memory.
template <class Object>
handle<Object> made(Object *object) {
    if (object == nullptr) throw std::bad_alloc();
    return handle<Object>(object);
}

/// Views a string; NULL becomes an empty view.
inline std::string_view view(const char *text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

inline std::string_view view(const std::uint8_t *bytes, std::size_t length) {
    return {reinterpret_cast<const char *>(bytes), length};
}

inline const std::uint8_t *bytes(std::string_view text) {
    return reinterpret_cast<const std::uint8_t *>(text.data());
}

}  // namespace detail

// ---- Errors. ----

/// A failed call: tinyci could not do what the program asked for. what() is the complete message.
class error : public std::runtime_error {
public:
    /// Makes an error of the program or of this header.
    error(tinyci::code number, const std::string &message)
        : std::runtime_error(message), details_(std::make_shared<details>()) {
        details_->number = number;
    }

    /// Makes an error from the code and the `err` of a C call.
    error(tinyci_code number, const detail::handle<tinyci_error> &from)
        : error(static_cast<tinyci::code>(number), message_of(number, from.get())) {
        if (from == nullptr) return;
        details_->file = std::string(detail::view(tinyci_error_file(from.get())));
        details_->line = tinyci_error_line(from.get());
        details_->column = tinyci_error_column(from.get());
        details_->host_code = tinyci_error_host_code(from.get());
        for (std::size_t depth = 0;; depth++) {
            const char *cause = tinyci_error_cause(from.get(), depth);
            if (cause == nullptr) break;
            details_->causes.emplace_back(cause);
        }
    }

    /// Returns the kind of error.
    tinyci::code code() const noexcept { return details_->number; }
    /// Returns the file or repository that the error is about; empty if there is none.
    const std::filesystem::path &file() const noexcept { return details_->file; }
    /// Returns the line in that file, from 1; 0 if the error has no position.
    std::uint32_t line() const noexcept { return details_->line; }
    /// Returns the column in that line, in characters from 1; 0 if the error has no position.
    std::uint32_t column() const noexcept { return details_->column; }
    /// Returns the code of the refusal that caused the error, or 0.
    std::int32_t host_code() const noexcept { return details_->host_code; }
    /// Returns the causes at the end of what(), nearest first.
    const std::vector<std::string> &causes() const noexcept { return details_->causes; }

private:
    struct details {
        tinyci::code number{};
        std::filesystem::path file;
        std::uint32_t line = 0;
        std::uint32_t column = 0;
        std::int32_t host_code = 0;
        std::vector<std::string> causes;
    };

    static std::string message_of(tinyci_code number, const tinyci_error *from) {
        const char *message = tinyci_error_message(from);
        if (message != nullptr) return message;
        return std::string(to_string(static_cast<tinyci::code>(number)));
    }

    // Shared, because copying an exception must not throw.
    std::shared_ptr<details> details_;
};

/// The exception with which a callback says no: the request fails with this message and code, which
/// the record shows, and a script can catch it. The run's loop does not throw it, unlike other
/// exceptions.
class refusal : public std::runtime_error {
public:
    explicit refusal(const std::string &message, std::int32_t code = 0)
        : std::runtime_error(message), code_(code) {}
    std::int32_t code() const noexcept { return code_; }

private:
    std::int32_t code_;
};

namespace detail {

/// Returns a C string. A NUL byte is an error, since C would end the string there.
inline const char *text(const std::string &it) {
    if (it.find('\0') != std::string::npos) {
        throw error(code::invalid_arg, "`" + it + "` contains a NUL byte");
    }
    return it.c_str();
}

inline const char *text(const std::filesystem::path &it) { return text(it.native()); }

/// Returns a C string, or NULL for an empty string.
inline const char *optional_text(const std::string &it) { return it.empty() ? nullptr : text(it); }

/// Joins strings, one per line.
inline std::string lines(const std::vector<std::string> &all) {
    std::string text;
    for (const std::string &one : all) text += one + "\n";
    return text;
}

/// Calls a function whose last parameter is `err`; the caller omits that one.
template <class Function, class... Arguments>
code call(Function *function, Arguments... arguments) {
    tinyci_error *err = nullptr;
    const tinyci_code number = function(arguments..., &err);
    const handle<tinyci_error> owned(err);
    if (number < 0) throw error(number, owned);
    return static_cast<code>(number);
}

/// Calls a function whose last parameters are `out` and `err`, and returns what it stored.
template <class Object, class Function, class... Arguments>
handle<Object> make(Function *function, Arguments... arguments) {
    Object *out = nullptr;
    call(function, arguments..., &out);
    return handle<Object>(out);
}

/// Like make, for a string.
template <class Function, class... Arguments>
std::string make_text(Function *function, Arguments... arguments) {
    const handle<char> out = make<char>(function, arguments...);
    return std::string(view(out.get()));
}

}  // namespace detail

// ---- Values of scripts and JSON. ----

/// Null, a bool, a number, a string, an array or a map: the arguments and results of functions, and
/// the contents of reports.
class value {
public:
    using array = std::vector<value>;
    using map = std::map<std::string, value, std::less<>>;
    using variant =
        std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, array, map>;

    value(std::nullptr_t = nullptr) : data_(nullptr) {}
    value(double number) : data_(number) {}
    value(const char *text) : data_(std::string(text)) {}
    value(std::string_view text) : data_(std::string(text)) {}
    value(std::string text) : data_(std::move(text)) {}
    value(array items) : data_(std::move(items)) {}
    value(map members) : data_(std::move(members)) {}
    /// A bool or an integer. Throws std::out_of_range above 2^63 - 1.
    template <class Number, std::enable_if_t<std::is_integral_v<Number>, int> = 0>
    value(Number number) {
        if constexpr (std::is_same_v<Number, bool>) {
            data_ = number;
        } else if constexpr (std::is_unsigned_v<Number>) {
            if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
                throw std::out_of_range("a number above 2^63 - 1");
            }
            data_ = static_cast<std::int64_t>(number);
        } else {
            data_ = static_cast<std::int64_t>(number);
        }
    }

    /// Returns the variant, for std::visit.
    const variant &data() const noexcept { return data_; }
    bool is_null() const noexcept { return is<std::nullptr_t>(); }
    /// Returns true if the value has this type, one of the types of `variant`.
    template <class Type>
    bool is() const noexcept {
        return std::holds_alternative<Type>(data_);
    }
    /// Returns the value. Throws std::bad_variant_access if it has another type.
    template <class Type>
    const Type &as() const {
        return std::get<Type>(data_);
    }
    /// Returns an integer or a double. Throws std::bad_variant_access for other types.
    double number() const {
        return is<std::int64_t>() ? static_cast<double>(as<std::int64_t>()) : as<double>();
    }
    /// Returns an item of an array. Throws std::out_of_range if there is none.
    const value &at(std::size_t index) const { return as<array>().at(index); }
    /// Returns a member of a map. Throws std::out_of_range if there is none.
    const value &at(std::string_view key) const {
        const value *found = find(key);
        if (found == nullptr) throw std::out_of_range("no member `" + std::string(key) + "`");
        return *found;
    }
    /// Returns a member of a map, or nullptr.
    const value *find(std::string_view key) const {
        const map &members = as<map>();
        const auto found = members.find(key);
        return found == members.end() ? nullptr : &found->second;
    }

    friend bool operator==(const value &left, const value &right) {
        return left.data_ == right.data_;
    }
    friend bool operator!=(const value &left, const value &right) { return !(left == right); }

    /// Parses JSON. Throws error with code::invalid_arg for invalid JSON.
    static value parse(std::string_view json);
    /// Writes JSON on one line. Throws error with code::invalid_arg for a number that JSON cannot
    /// represent.
    std::string to_json() const;

private:
    variant data_;
};

namespace detail {

/// Parses one JSON document.
class json_reader {
public:
    explicit json_reader(std::string_view text) : text_(text) {}

    value document() {
        value read = item(0);
        space();
        if (at_ != text_.size()) fail("the end");
        return read;
    }

private:
    // The same depth as in the library.
    static constexpr int depth_max = 128;

    [[noreturn]] void fail(const std::string &wanted) const {
        throw error(code::invalid_arg,
                    "invalid JSON: expected " + wanted + " at byte " + std::to_string(at_));
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) < 4) at_++;
    }

    bool take(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    void need(std::string_view word) {
        if (!take(word)) fail("`" + std::string(word) + "`");
    }

    value item(int depth) {
        if (depth > depth_max) fail("an end of the nesting");
        space();
        if (take("null")) return nullptr;
        if (take("true")) return true;
        if (take("false")) return false;
        switch (peek()) {
        case '"': return string();
        case '[': return array(depth);
        case '{': return map(depth);
        default: return number();
        }
    }

    value array(int depth) {
        value::array items;
        need("[");
        space();
        if (take("]")) return items;
        do {
            items.push_back(item(depth + 1));
            space();
        } while (take(","));
        need("]");
        return items;
    }

    value map(int depth) {
        value::map members;
        need("{");
        space();
        if (take("}")) return members;
        do {
            space();
            std::string key = string();
            space();
            need(":");
            members.insert_or_assign(std::move(key), item(depth + 1));
            space();
        } while (take(","));
        need("}");
        return members;
    }

    std::size_t digits() {
        const std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9') at_++;
        if (at_ == start) fail("a value");
        return at_ - start;
    }

    value number() {
        const std::size_t start = at_;
        take("-");
        const bool zero = peek() == '0';
        if (digits() > 1 && zero) fail("a number without a leading zero");
        bool whole = true;
        if (take(".")) {
            digits();
            whole = false;
        }
        if (take("e") || take("E")) {
            if (!take("+")) take("-");
            digits();
            whole = false;
        }
        // A stream, unlike strtod, can ignore the program's locale.
        std::istringstream digits_of{std::string(text_.substr(start, at_ - start))};
        digits_of.imbue(std::locale::classic());
        std::int64_t integer = 0;
        if (whole && digits_of >> integer) return integer;
        digits_of.clear();
        digits_of.seekg(0);
        double real = 0;
        if (!(digits_of >> real)) fail("a number that fits into a double");
        return real;
    }

    std::uint32_t hex() {
        static constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
        std::uint32_t unit = 0;
        for (int place = 0; place < 4; place++) {
            const std::size_t digit = digits.find(peek());
            if (digit == digits.npos) fail("a hexadecimal digit");
            unit = unit * 16 + static_cast<std::uint32_t>(digit % 16);
            at_++;
        }
        return unit;
    }

    static void put(std::string &out, std::uint32_t point) {
        const auto tail = [&](int shift) {
            out += static_cast<char>(0x80 | ((point >> shift) & 0x3f));
        };
        if (point < 0x80) {
            out += static_cast<char>(point);
        } else if (point < 0x800) {
            out += static_cast<char>(0xc0 | (point >> 6));
            tail(0);
        } else if (point < 0x10000) {
            out += static_cast<char>(0xe0 | (point >> 12));
            tail(6);
            tail(0);
        } else {
            out += static_cast<char>(0xf0 | (point >> 18));
            tail(12);
            tail(6);
            tail(0);
        }
    }

    void escape(std::string &out) {
        static constexpr std::string_view names = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
        if (!take("u")) {
            const std::size_t which = at_ < text_.size() ? names.find(peek()) : names.npos;
            if (which == names.npos) fail("an escape");
            out += meant[which];
            at_++;
            return;
        }
        std::uint32_t point = hex();
        if (point >= 0xd800 && point < 0xdc00) {
            need("\\u");
            const std::uint32_t low = hex();
            if (low < 0xdc00 || low >= 0xe000) fail("the second half of a surrogate");
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        } else if (point >= 0xdc00 && point < 0xe000) {
            fail("the first half of a surrogate");
        }
        put(out, point);
    }

    std::string string() {
        std::string out;
        need("\"");
        while (!take("\"")) {
            if (static_cast<unsigned char>(peek()) < 0x20) fail("the end of a string");
            if (take("\\")) {
                escape(out);
            } else {
                out += text_[at_++];
            }
        }
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// Writes one value as JSON; std::visit calls it.
struct json_writer {
    std::string &out;

    void operator()(std::nullptr_t) const { out += "null"; }
    void operator()(bool it) const { out += it ? "true" : "false"; }
    void operator()(std::int64_t it) const { out += std::to_string(it); }
    void operator()(double it) const {
        if (!std::isfinite(it)) throw error(code::invalid_arg, "JSON cannot represent this number");
        const std::string text = shortest(it);
        out += text;
        // Without a fraction, it would be read as an integer.
        if (text.find_first_of(".e") == std::string::npos) out += ".0";
    }
    void operator()(const std::string &it) const {
        static constexpr char hex[] = "0123456789abcdef";
        out += '"';
        for (const char letter : it) {
            const auto byte = static_cast<unsigned char>(letter);
            if (byte < 0x20) {
                out += "\\u00";
                out += hex[byte / 16];
                out += hex[byte % 16];
            } else {
                if (letter == '"' || letter == '\\') out += '\\';
                out += letter;
            }
        }
        out += '"';
    }
    void operator()(const value::array &it) const {
        out += '[';
        for (std::size_t index = 0; index < it.size(); index++) {
            if (index > 0) out += ',';
            std::visit(*this, it[index].data());
        }
        out += ']';
    }
    void operator()(const value::map &it) const {
        out += '{';
        for (auto member = it.begin(); member != it.end(); ++member) {
            if (member != it.begin()) out += ',';
            (*this)(member->first);
            out += ':';
            std::visit(*this, member->second.data());
        }
        out += '}';
    }

private:
    /// Returns the shortest digits that are read as the same number, in any locale.
    static std::string shortest(double it) {
        for (int precision = std::numeric_limits<double>::digits10;; precision++) {
            std::ostringstream digits;
            digits.imbue(std::locale::classic());
            digits.precision(precision);
            digits << it;
            if (precision == std::numeric_limits<double>::max_digits10) return digits.str();
            std::istringstream read(digits.str());
            read.imbue(std::locale::classic());
            double again = 0;
            if (read >> again && again == it) return digits.str();
        }
    }
};

/// Parses a report with one JSON document per line.
inline std::vector<value> json_lines(std::string_view text) {
    std::vector<value> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (end > 0) lines.push_back(value::parse(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

}  // namespace detail

inline value value::parse(std::string_view json) { return detail::json_reader(json).document(); }

inline std::string value::to_json() const {
    std::string out;
    std::visit(detail::json_writer{out}, data_);
    return out;
}

// ---- Commits and records: plain data without an owner. ----

/// Git's data about a commit.
struct commit {
    std::string id;             ///< The full id.
    std::string tree;           ///< The full id of the tree: same tree, same files.
    std::string branch;         ///< In UTF-8; empty if the commit is on no branch.
    std::string branch_bytes;   ///< In git's own bytes.
    std::string subject;        ///< In UTF-8.
    std::string subject_bytes;  ///< In git's own bytes.
    std::string author;         ///< `Name <address>`, in UTF-8.
    std::string author_bytes;   ///< In git's own bytes.
    std::string message;        ///< The complete message, in UTF-8.
    std::string message_bytes;  ///< In git's own bytes.
    std::vector<std::string> parents;  ///< The full ids, in git's order.
    std::string json;                  ///< All fields, as one line.
    std::chrono::system_clock::time_point time;  ///< The committer's time.
};

/// The record of one step.
struct step {
    std::string name;
    tinyci::outcome outcome{};
    std::int32_t exit_code = -1;  ///< Of the last command; 128 plus a signal's number; -1 for none.
    std::string error;            ///< Why the step failed or was skipped, if no command says so.
};

/// The record of one job.
struct record {
    std::string commit;        ///< The full id.
    std::string branch;        ///< In UTF-8; empty if there is none.
    std::string branch_bytes;  ///< In git's own bytes.
    tinyci::outcome outcome{};
    bool passed = false;       ///< True if the commit is green. Use only this field to decide that.
    std::string reason;        ///< Why, if the steps do not say so.
    std::chrono::system_clock::time_point started;
    std::chrono::milliseconds duration{};
    std::vector<step> steps;   ///< In the order in which they ran.
    std::string json;          ///< The complete record, as in the notes.
};

namespace detail {

inline commit read(const tinyci_commit *from) {
    commit to;
    std::size_t length = 0;
    to.id = view(tinyci_commit_id(from));
    to.tree = view(tinyci_commit_tree(from));
    to.branch = view(tinyci_commit_branch(from));
    const std::uint8_t *branch = tinyci_commit_branch_bytes(from, &length);
    to.branch_bytes = view(branch, length);
    to.subject = view(tinyci_commit_subject(from));
    const std::uint8_t *subject = tinyci_commit_subject_bytes(from, &length);
    to.subject_bytes = view(subject, length);
    to.author = view(tinyci_commit_author(from));
    const std::uint8_t *author = tinyci_commit_author_bytes(from, &length);
    to.author_bytes = view(author, length);
    to.message = view(tinyci_commit_message(from));
    const std::uint8_t *message = tinyci_commit_message_bytes(from, &length);
    to.message_bytes = view(message, length);
    for (std::size_t index = 0; index < tinyci_commit_parent_count(from); index++) {
        to.parents.emplace_back(view(tinyci_commit_parent(from, index)));
    }
    to.json = view(tinyci_commit_json(from));
    to.time = std::chrono::system_clock::time_point(std::chrono::seconds(tinyci_commit_time(from)));
    return to;
}

inline record read(const tinyci_record *from) {
    record to;
    std::size_t length = 0;
    to.commit = view(tinyci_record_commit(from));
    to.branch = view(tinyci_record_branch(from));
    const std::uint8_t *branch = tinyci_record_branch_bytes(from, &length);
    to.branch_bytes = view(branch, length);
    to.outcome = static_cast<outcome>(tinyci_record_outcome(from));
    to.passed = tinyci_record_passed(from) != 0;
    to.reason = view(tinyci_record_reason(from));
    to.started = std::chrono::system_clock::time_point(
        std::chrono::milliseconds(tinyci_record_started_ms(from)));
    to.duration = std::chrono::milliseconds(tinyci_record_duration_ms(from));
    to.json = view(tinyci_record_json(from));
    for (std::size_t index = 0; index < tinyci_record_step_count(from); index++) {
        step one;
        one.name = view(tinyci_record_step_name(from, index));
        one.outcome = static_cast<outcome>(tinyci_record_step_outcome(from, index));
        one.exit_code = tinyci_record_step_exit_code(from, index);
        one.error = view(tinyci_record_step_error(from, index));
        to.steps.push_back(std::move(one));
    }
    return to;
}

inline std::vector<commit> read_all(const handle<tinyci_commits> &commits) {
    std::vector<commit> all;
    const tinyci_commit *one = nullptr;
    while (call(tinyci_commits_next, commits.get(), &one) == code::ok) all.push_back(read(one));
    return all;
}

inline std::vector<record> read_all(const handle<tinyci_records> &records) {
    std::vector<record> all;
    const tinyci_record *one = nullptr;
    while (call(tinyci_records_next, records.get(), &one) == code::ok) all.push_back(read(one));
    return all;
}

}  // namespace detail

// ---- Requests. ----

/// One pending call of a callback. Answer it once, from any thread, now or later. If it is
/// destroyed without an answer, its step fails.
class request {
public:
    explicit request(tinyci_request *taken) : handle_(taken) {}

    /// True if this object has a request that is not answered yet.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /// Returns the name of the hook, function, secret or environment, or the command.
    std::string_view name() const { return detail::view(tinyci_request_name(handle_.get())); }
    /// Returns the full id of the commit that is being tested or deployed.
    std::string_view commit() const { return detail::view(tinyci_request_commit(handle_.get())); }
    /// Returns the id of the job.
    std::string_view job_id() const { return detail::view(tinyci_request_job_id(handle_.get())); }
    /// Returns the step that the request comes from.
    std::string_view step() const { return detail::view(tinyci_request_step(handle_.get())); }
    /// Returns the task of a script's `parallel`, or the group, that the request comes from; empty
    /// if none.
    std::string_view label() const { return detail::view(tinyci_request_label(handle_.get())); }
    /// Returns the question that a script asks the approver; empty if there is none.
    std::string_view question() const {
        return detail::view(tinyci_request_question(handle_.get()));
    }
    /// Returns the directory with the commit's files. For an approval it may not exist yet.
    std::filesystem::path export_dir() const {
        return detail::view(tinyci_request_export_dir(handle_.get()));
    }
    /// Returns true if the answer is no longer needed, so that long work can end early.
    bool canceled() const { return tinyci_request_canceled(handle_.get()) != 0; }

    /// Returns the number of arguments of a function call.
    std::size_t argument_count() const { return tinyci_request_arg_count(handle_.get()); }
    /// Returns one argument, from 0. Throws std::out_of_range if there is none.
    value argument(std::size_t index) const {
        switch (tinyci_request_arg_kind(handle_.get(), index)) {
        case 0: throw std::out_of_range("no argument " + std::to_string(index));
        case TINYCI_VALUE_NULL: return nullptr;
        case TINYCI_VALUE_BOOL: return tinyci_request_arg_int(handle_.get(), index) != 0;
        case TINYCI_VALUE_INT: return tinyci_request_arg_int(handle_.get(), index);
        case TINYCI_VALUE_FLOAT: return tinyci_request_arg_float(handle_.get(), index);
        case TINYCI_VALUE_STRING:
        case TINYCI_VALUE_ARRAY:
        case TINYCI_VALUE_MAP:
        default: return value::parse(detail::view(tinyci_request_arg_json(handle_.get(), index)));
        }
    }
    /// Returns all arguments.
    value::array arguments() const {
        value::array all;
        for (std::size_t index = 0; index < argument_count(); index++) {
            all.push_back(argument(index));
        }
        return all;
    }
    /// Returns the command: `shell` or `argv`, `cwd`, `env`, `nice`, `input`, `timeout_ms`,
    /// `output`; null for other requests. `env` is the complete environment: pass no other
    /// variables. See tinyci_request_command_json in tinyci.h for the other members.
    value command() const {
        const char *json = tinyci_request_command_json(handle_.get());
        return json == nullptr ? value() : value::parse(json);
    }

    /// Hooks only: sets a variable for the placeholders of all later commands.
    void set_var(const std::string &name, const std::string &text) {
        detail::call(tinyci_request_set_var, handle_.get(), detail::text(name), detail::text(text));
    }
    /// Answers a hook with success, or an approval with yes.
    void ok() { detail::call(tinyci_request_ok, handle_.release()); }
    /// Answers a hook with success, and keeps the config's own hook from running.
    void skip(const std::string &reason = "") {
        const char *why = detail::optional_text(reason);
        detail::call(tinyci_request_skip, handle_.release(), why);
    }
    /// Answers any request with no: the step fails, unless a script catches it.
    void fail(const std::string &message, std::int32_t code = 0) {
        // A NUL byte only cuts the message: the request must fail anyway.
        detail::call(tinyci_request_fail, handle_.release(), message.c_str(), code);
    }
    /// Answers any request with a fault of the program. The commit gets no verdict and stays
    /// pending; no script catches the fault.
    void abort(const std::string &message, std::int32_t code = 0) {
        detail::call(tinyci_request_abort, handle_.release(), message.c_str(), code);
    }
    /// Answers a function call.
    void give(const value &result) {
        std::visit([this](const auto &held) { give_held(held); }, result.data());
    }
    /// Answers a secret with any bytes. With std::nullopt, tinyci looks in `tinyci.secretsDir`.
    void give_secret(const std::optional<std::string> &secret) {
        if (!secret) {
            detail::call(tinyci_request_return_null, handle_.release());
            return;
        }
        detail::call(tinyci_request_return_bytes, handle_.release(), detail::bytes(*secret),
                     secret->size());
    }
    /// Answers an approval with the approver, such as `Ada <ada@example.org>`. With std::nullopt,
    /// the deployment awaits an approval.
    void give_approval(const std::optional<std::string> &person) {
        give(person ? value(*person) : value());
    }
    /// Commands only: passes on output of the command. Returns false if the event buffer is full:
    /// try again after some events were pulled. Throws error with code::canceled if the command
    /// must end.
    [[nodiscard]] bool output(std::string_view data, stream from = stream::standard_output) {
        return detail::call(tinyci_request_command_output, handle_.get(),
                            static_cast<std::int32_t>(from), detail::bytes(data), data.size())
               == code::ok;
    }
    /// Answers a command with its exit code, or with the number of the signal that ended it.
    void finish(std::int32_t exit_code, std::int32_t signal = 0) {
        detail::call(tinyci_request_command_finish, handle_.release(), exit_code, signal);
    }

private:
    void give_held(std::nullptr_t) { detail::call(tinyci_request_return_null, handle_.release()); }
    void give_held(bool it) {
        detail::call(tinyci_request_return_bool, handle_.release(), std::int32_t{it});
    }
    void give_held(std::int64_t it) {
        detail::call(tinyci_request_return_int, handle_.release(), it);
    }
    void give_held(double it) { detail::call(tinyci_request_return_float, handle_.release(), it); }
    void give_held(const std::string &it) {
        if (it.find('\0') != std::string::npos) return give_json(it);
        detail::call(tinyci_request_return_string, handle_.release(), it.c_str());
    }
    void give_held(const value::array &it) { give_json(it); }
    void give_held(const value::map &it) { give_json(it); }
    void give_json(const value &it) {
        const std::string json = it.to_json();
        detail::call(tinyci_request_return_json, handle_.release(), json.c_str());
    }

    detail::handle<tinyci_request> handle_;
};

/// A hook callback. The hook succeeds unless the function answers the request itself or throws.
using hook_function = std::function<void(request &)>;
/// A function for scripts; it returns the result of the call.
using script_function = std::function<value(request &)>;
/// Returns the secret of the request's name, or std::nullopt if the program has none.
using secret_function = std::function<std::optional<std::string>(request &)>;
/// Returns the approver, or std::nullopt if there is none yet. The request's name is the
/// environment.
using approval_function = std::function<std::optional<std::string>(request &)>;
/// Runs a command. It may move the request away and finish it later, while the loop continues.
using executor_function = std::function<void(request &)>;

namespace detail {

/// The registered callbacks. Other requests are for the code that takes them from their events.
struct handlers {
    std::map<std::string, std::vector<hook_function>, std::less<>> hooks;
    std::map<std::string, script_function, std::less<>> functions;
    secret_function secrets;
    approval_function approvals;
    executor_function executor;

    /// Returns true if a callback is registered for the request.
    bool has(event_kind kind, std::string_view name) const {
        switch (kind) {
        case event_kind::hook: return hooks.find(name) != hooks.end();
        case event_kind::function: return functions.find(name) != functions.end();
        case event_kind::secret: return secrets != nullptr;
        case event_kind::approval: return approvals != nullptr;
        case event_kind::command: return executor != nullptr;
        default: return false;
        }
    }

    void answer_hook(request &asked) const {
        for (const hook_function &hook : hooks.find(asked.name())->second) {
            hook(asked);
            if (!asked) return;
        }
        send([&] { asked.ok(); });
    }

    void answer(event_kind kind, request &asked) const {
        if (kind == event_kind::hook) {
            answer_hook(asked);
        } else if (kind == event_kind::function) {
            const value result = functions.find(asked.name())->second(asked);
            if (asked) send([&] { asked.give(result); });
        } else if (kind == event_kind::secret) {
            const std::optional<std::string> secret = secrets(asked);
            if (asked) send([&] { asked.give_secret(secret); });
        } else if (kind == event_kind::approval) {
            const std::optional<std::string> person = approvals(asked);
            if (asked) send([&] { asked.give_approval(person); });
        } else {
            executor(asked);
        }
    }

    /// Sends an answer. One that is too late is not an error of the program.
    template <class Answer>
    static void send(Answer answer) {
        try {
            answer();
        } catch (const error &late) {
            if (late.code() != code::canceled) throw;
        }
    }
};

}  // namespace detail

// ---- Options and selections. ----

/// The number of arguments of a function.
struct arity {
    arity(std::uint32_t exactly) : min(exactly), max(exactly) {}
    arity(std::uint32_t at_least, std::uint32_t at_most) : min(at_least), max(at_most) {}
    std::uint32_t min;
    std::uint32_t max;
};

/// What you set before you open an engine: `git config tinyci.*` and more, for this engine.
///
/// If you pass an empty function, your loop must take the requests from their events and answer
/// them.
class options {
public:
    options() : handle_(detail::made(tinyci_options_new())) {}

    /// Adds a glob of full ref names whose commits are tested; `*` matches any characters. Default:
    /// all branches.
    options &ref(const std::string &glob) {
        return set(tinyci_options_add_ref, detail::text(glob));
    }
    /// Sets how many commits are tested at the same time.
    options &jobs(std::uint32_t count) { return set(tinyci_options_set_jobs, count); }
    /// Sets the time limit of one job. `after_all` does not count.
    options &job_timeout(std::chrono::milliseconds limit) {
        return set(tinyci_options_set_job_timeout_ms, static_cast<std::int64_t>(limit.count()));
    }
    /// Sets the directory of the builds. A relative path is relative to engine::path.
    options &builds_dir(const std::filesystem::path &directory) {
        return set(tinyci_options_set_builds_dir, detail::text(directory));
    }
    /// Sets how many bytes of output the log keeps per job. The last 64 KiB are kept in addition.
    options &log_limit(std::uint64_t bytes) {
        return set(tinyci_options_set_log_limit, bytes);
    }
    /// Sets the value of `git config tinyci.<key>` for this engine only.
    options &setting(const std::string &key, const std::string &text) {
        return set(tinyci_options_set_setting, detail::text(key), detail::text(text));
    }
    /// Sets an environment variable of every command. std::nullopt removes one of this program.
    options &env(const std::string &name, const std::optional<std::string> &text) {
        const char *to = text ? detail::text(*text) : nullptr;
        return set(tinyci_options_set_env, detail::text(name), to);
    }
    /// Sets a variable that every command can use as a placeholder.
    options &var(const std::string &name, const std::string &text) {
        return set(tinyci_options_set_var, detail::text(name), detail::text(text));
    }
    /// Sets the actor that records name. Default: git's user.name and user.email.
    options &by(const std::string &name, const std::string &address) {
        return set(tinyci_options_set_by, detail::text(name), detail::text(address));
    }

    /// Registers a hook callback, for a hook such as `before_build`. tinyci calls it before the
    /// config's own hook. Several are called in the order of registration.
    options &hook(const std::string &point, hook_function call = nullptr) {
        set(tinyci_options_add_hook, detail::text(point));
        if (call) handlers_.hooks[point].push_back(std::move(call));
        return *this;
    }
    /// Registers a function for scripts, under `name` or `module::name`.
    options &function(const std::string &name, arity arguments, effect acts,
                      script_function call = nullptr, const std::string &doc = "") {
        set(tinyci_options_add_function, detail::text(name), arguments.min, arguments.max,
            static_cast<std::int32_t>(acts), detail::optional_text(doc));
        if (call) handlers_.functions.insert_or_assign(name, std::move(call));
        return *this;
    }
    /// Registers the function that returns secrets.
    options &secrets(secret_function call = nullptr) {
        handlers_.secrets = std::move(call);
        return answer_for(TINYCI_HANDLER_SECRET);
    }
    /// Registers the function for approvals that the repository does not have.
    options &approvals(approval_function call = nullptr) {
        handlers_.approvals = std::move(call);
        return answer_for(TINYCI_HANDLER_APPROVAL);
    }
    /// Registers the function that runs the commands instead of the local machine.
    options &executor(executor_function call = nullptr) {
        handlers_.executor = std::move(call);
        return answer_for(TINYCI_HANDLER_EXECUTOR);
    }

private:
    friend class engine;

    template <class Function, class... Arguments>
    options &set(Function *function, Arguments... arguments) {
        detail::call(function, handle_.get(), arguments...);
        return *this;
    }
    options &answer_for(std::uint32_t bit) {
        mask_ |= bit;
        return set(tinyci_options_set_handlers, mask_);
    }

    detail::handle<tinyci_options> handle_;
    detail::handlers handlers_;
    std::uint32_t mask_ = 0;
};

/// The steps of one config, in the order of a run.
class pipeline {
public:
    explicit pipeline(detail::handle<tinyci_pipeline> owned) : handle_(std::move(owned)) {}

    /// Parses a pipeline that is not in a commit; errors use `name`. Use engine::parse for scripts
    /// that import files or call registered functions.
    static pipeline parse(std::string_view text, format written, const std::string &name) {
        return pipeline(detail::make<tinyci_pipeline>(tinyci_pipeline_parse, nullptr, text.data(),
                                                      text.size(),
                                                      static_cast<std::int32_t>(written),
                                                      detail::text(name)));
    }

    /// Returns the names of the steps.
    std::vector<std::string> steps() const {
        std::vector<std::string> names;
        for (std::size_t index = 0; index < tinyci_pipeline_step_count(handle_.get()); index++) {
            names.emplace_back(detail::view(tinyci_pipeline_step_name(handle_.get(), index)));
        }
        return names;
    }

    /// Converts a YAML pipeline to an equivalent script, as `tinyci convert` does.
    std::string to_rhai() const {
        return detail::make_text(tinyci_pipeline_to_rhai, handle_.get());
    }

private:
    friend class selection;
    detail::handle<tinyci_pipeline> handle_;
};

/// Returns the script API reference, as `tinyci defs` prints it. engine::definitions also has the
/// registered functions.
inline std::string definitions(definitions_format written = definitions_format::markdown) {
    return detail::make_text(tinyci_definitions, nullptr, static_cast<std::int32_t>(written));
}

/// The place of a script and its tests: a commit, or without a revision a directory. Without either
/// it is the path that the engine was opened with.
struct test_source {
    std::string revision;
    std::filesystem::path directory;
};

/// Selects commits. By default, all pending commits.
class selection {
public:
    selection() : handle_(detail::made(tinyci_selection_new())) {}

    /// Adds one commit, in git's revision syntax. A named commit is pending even if no selected ref
    /// reaches it.
    selection &revision(const std::string &name) {
        return set(tinyci_selection_add_revision, detail::text(name));
    }
    /// Adds the commits of a range, such as `v1.0..main`.
    selection &range(const std::string &name) {
        return set(tinyci_selection_add_range, detail::text(name));
    }
    /// Adds a pushed ref. An id of only zeros is no commit.
    selection &update(const std::string &old_id, const std::string &new_id,
                      const std::string &ref_name) {
        return set(tinyci_selection_add_update, detail::text(old_id), detail::text(new_id),
                   detail::text(ref_name));
    }
    /// Adds the input of a `post-receive` hook: lines of `old new ref`.
    selection &hook_lines(std::string_view lines) {
        return set(tinyci_selection_add_hook_lines, lines.data(), lines.size());
    }
    /// Adds an option of `git push -o`. With `ci.skip` the pushed commits are not tested.
    selection &push_option(const std::string &option) {
        return set(tinyci_selection_add_push_option, detail::text(option));
    }
    /// Sets how long to follow another run in the repository. 0 fails with code::busy at once.
    selection &wait(std::chrono::milliseconds limit) {
        return set(tinyci_selection_set_wait_ms, static_cast<std::int64_t>(limit.count()));
    }
    /// Tests named commits again that have a verdict or are out of attempts.
    selection &retry(bool yes = true) {
        return set(tinyci_selection_set_retry, std::int32_t{yes});
    }
    /// Allows a retry to replace the build of a commit that is deployed.
    selection &replace_live(bool yes = true) {
        return set(tinyci_selection_set_replace_live, std::int32_t{yes});
    }
    /// Includes the commits below the baseline, which are older than the use of tinyci.
    selection &all_history(bool yes = true) {
        return set(tinyci_selection_set_all_history, std::int32_t{yes});
    }
    /// Assumes the output of commands that match a glob, for the named commits of engine::plan. The
    /// first match applies.
    selection &assume(const std::string &command, const std::string &output) {
        return set(tinyci_selection_add_assumption, detail::text(command), detail::text(output));
    }
    /// Replaces the config of every selected commit.
    selection &pipeline(const tinyci::pipeline &instead) {
        return set(tinyci_selection_set_pipeline, instead.handle_.get());
    }

private:
    friend class engine;

    template <class Function, class... Arguments>
    selection &set(Function *function, Arguments... arguments) {
        detail::call(function, handle_.get(), arguments...);
        return *this;
    }

    detail::handle<tinyci_selection> handle_;
};

/// Why a job is canceled or a commit skipped, and by whom. Default: git's user.name and user.email.
struct intervention {
    std::string reason;
    std::string name;
    std::string address;
};

/// Selects what to deploy. By default, the newest green commit.
class deploy_request {
public:
    deploy_request() : handle_(detail::made(tinyci_deploy_request_new())) {}

    /// Sets the commit, in git's revision syntax.
    deploy_request &revision(const std::string &name) {
        return set(tinyci_deploy_request_set_revision, detail::text(name));
    }
    /// Deploys what was deployed before the current deployment.
    deploy_request &rollback(bool yes = true) {
        return set(tinyci_deploy_request_set_rollback, std::int32_t{yes});
    }
    /// Deploys even a commit that is not green; the record shows it.
    deploy_request &force(bool yes = true) {
        return set(tinyci_deploy_request_set_force, std::int32_t{yes});
    }
    /// Deploys the commit's files at once, without a build.
    deploy_request &bare(bool yes = true) {
        return set(tinyci_deploy_request_set_bare, std::int32_t{yes});
    }
    /// Sets the person who deploys. Default: git's user.name and user.email.
    deploy_request &by(const std::string &name, const std::string &address) {
        return set(tinyci_deploy_request_set_by, detail::text(name), detail::text(address));
    }
    /// Assumes the output of commands that match a glob, for engine::deploy_plan.
    deploy_request &assume(const std::string &command, const std::string &output) {
        return set(tinyci_deploy_request_add_assumption, detail::text(command),
                   detail::text(output));
    }
    /// Carries out exactly this plan of engine::deploy_plan. Fails if the deployed commit has
    /// changed.
    deploy_request &plan(const value &planned) {
        const std::string json = planned.to_json();
        return set(tinyci_deploy_request_set_plan, json.c_str());
    }

private:
    friend class engine;

    template <class Function, class... Arguments>
    deploy_request &set(Function *function, Arguments... arguments) {
        detail::call(function, handle_.get(), arguments...);
        return *this;
    }

    detail::handle<tinyci_deploy_request> handle_;
};

/// Which old builds engine::prune removes. Without a rule, the repository's settings apply.
struct prune_rules {
    /// Keeps the N builds that ran last.
    std::optional<std::int64_t> keep;
    /// Removes builds that last ran longer ago than this.
    std::optional<std::chrono::milliseconds> max_age;
    /// Removes the oldest builds until the others fit into this size.
    std::optional<std::int64_t> max_bytes;
};

/// Cancels the calls that it was passed to. Level 1 ends the running commands and still runs
/// `after_all`; level 2 kills them. Copies share one level.
class cancel_token {
public:
    cancel_token() : handle_(detail::made(tinyci_cancel_new())) {}
    /// Makes a token that is canceled with this one, or alone: for one of several runs.
    cancel_token child() const { return cancel_token(tinyci_cancel_child(handle_.get())); }
    /// Raises the level by one. Safe in any thread and in a signal handler.
    void cancel() const noexcept { tinyci_cancel_trigger(handle_.get()); }
    /// Returns 0, 1 or 2.
    std::int32_t level() const noexcept { return tinyci_cancel_level(handle_.get()); }

private:
    friend class engine;
    explicit cancel_token(tinyci_cancel *owned) : handle_(detail::made(owned)) {}
    std::shared_ptr<tinyci_cancel> handle_;
};

/// Fills in the placeholders of a template: `<%= name %>` becomes the value of the variable,
/// without quotes. Throws error if a shell could take a value for more than one word.
inline std::string interpolate(const std::string &text,
                               const std::map<std::string, std::string> &vars = {}) {
    const auto set = detail::made(tinyci_vars_new());
    for (const auto &[name, to] : vars) {
        detail::call(tinyci_vars_set, set.get(), detail::text(name), detail::text(to));
    }
    return detail::make_text(tinyci_interpolate, detail::text(text), set.get());
}

// ---- Runs. ----

/// One thing that happened in a run, or a request. It and its views are valid until the next event
/// is pulled. A string that the kind does not have is empty.
class event {
public:
    event_kind kind() const { return static_cast<event_kind>(tinyci_event_kind(from_)); }
    /// Returns the number of the event among the events of its run, from 1.
    std::uint64_t sequence() const { return tinyci_event_sequence(from_); }
    std::chrono::system_clock::time_point time() const {
        return std::chrono::system_clock::time_point(
            std::chrono::milliseconds(tinyci_event_time_ms(from_)));
    }
    /// Returns the full id of the event's commit.
    std::string_view commit() const { return detail::view(tinyci_event_commit(from_)); }
    /// Returns the id of the event's job. It separates the events of concurrent jobs.
    std::string_view job_id() const { return detail::view(tinyci_event_job_id(from_)); }
    /// Returns the name of the event's step.
    std::string_view step() const { return detail::view(tinyci_event_step(from_)); }
    /// Returns the task of a script's `parallel`, or the group, that the event comes from.
    std::string_view label() const { return detail::view(tinyci_event_label(from_)); }
    /// Returns the bytes of an output, or the message of a warning or of waiting.
    std::string_view data() const {
        std::size_t length = 0;
        const std::uint8_t *data = tinyci_event_data(from_, &length);
        return detail::view(data, length);
    }
    /// Returns the stream of an output.
    tinyci::stream stream() const {
        return static_cast<tinyci::stream>(tinyci_event_stream(from_));
    }
    /// Returns the outcome of what finished; for a hook, the outcome of the commit so far.
    tinyci::outcome outcome() const {
        return static_cast<tinyci::outcome>(tinyci_event_outcome(from_));
    }
    /// Returns the record of job_finished.
    std::optional<tinyci::record> record() const {
        const tinyci_record *record = tinyci_event_record(from_);
        if (record == nullptr) return std::nullopt;
        return detail::read(record);
    }
    /// Returns the event's lines in the log. With the data of every output: what `tinyci run`
    /// shows.
    std::string_view log_lines() const { return detail::view(tinyci_event_log_lines(from_)); }
    /// Returns the line that `tinyci run --json` prints, for value::parse.
    std::string_view json() const { return detail::view(tinyci_event_json(from_)); }
    /// Takes the request, to answer it now or later. It is empty if the event is not a request, or
    /// if the request was taken or answered before. If nothing takes a request, its step fails.
    request take_request() const { return std::move(asked_); }

private:
    friend class run;
    explicit event(const tinyci_event *from = nullptr)
        : from_(from), asked_(tinyci_event_take_request(from)) {}

    const tinyci_event *from_;
    // Taken at once, because only its name says whether a callback is registered for it.
    mutable request asked_;
};

/// An active run, on threads of the library. Keep pulling its events: if the event buffer is full,
/// the run blocks. It is a range of events for one pass:
///
///     for (const tinyci::event &event : run) std::cout << event.data();
///
/// Pulling an event calls the registered callbacks. If a callback throws, no script catches it, the
/// commit gets no verdict and stays pending, and the loop throws the first such exception after the
/// end of the run. A refusal fails the step instead. Destroying an active run kills it without
/// `after_all` and waits until its threads and commands have ended.
class run {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = tinyci::event;
        using difference_type = std::ptrdiff_t;
        using pointer = const tinyci::event *;
        using reference = const tinyci::event &;

        iterator() = default;
        explicit iterator(run *of) : run_(of) { ++*this; }
        const tinyci::event &operator*() const { return run_->event_; }
        const tinyci::event *operator->() const { return &run_->event_; }
        iterator &operator++() {
            if (run_->next() == code::done) run_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &left, const iterator &right) {
            return left.run_ == right.run_;
        }
        friend bool operator!=(const iterator &left, const iterator &right) {
            return !(left == right);
        }

    private:
        run *run_ = nullptr;
    };

    /// Waits for the first event. Do not move the run while an iterator exists.
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

    /// Waits for the next event. Returns code::ok if event() has one, code::again if none came in
    /// time, and code::done after the last.
    tinyci::code next(std::chrono::milliseconds timeout = forever) {
        constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
        const auto wait = std::clamp<std::int64_t>(timeout.count(), -1, most);
        event_ = tinyci::event();
        const tinyci::code pulled = pull(static_cast<std::int32_t>(wait));
        if (pulled == code::ok) answer();
        if (pulled == code::done) throw_failure();
        return pulled;
    }
    /// Returns the event that next() pulled.
    const tinyci::event &event() const noexcept { return event_; }
    /// Returns a descriptor that is readable when next() does not wait. The run owns it.
    int fd() const noexcept { return tinyci_run_fd(handle_.get()); }

    /// Raises the level of the run's token by one.
    void cancel() const noexcept { cancel_.cancel(); }
    /// Returns the run's token, for a timer or another thread.
    const cancel_token &token() const noexcept { return cancel_; }

    /// Returns the records of a run that has ended, in the order in which its jobs ended.
    std::vector<record> records() {
        return detail::read_all(detail::make<tinyci_records>(tinyci_run_records, handle_.get()));
    }
    /// Returns the summary of a run that has ended, the last line of `tinyci run --json`. Besides
    /// the records, it has the commits that were not tested, the deployments that followed, and
    /// `error` if the run had to stop early.
    value summary() {
        return value::parse(detail::make_text(tinyci_run_summary_json, handle_.get()));
    }
    /// Returns the record of a deployment that has ended, as in engine::deployments.
    value deployment() {
        return value::parse(detail::make_text(tinyci_run_deployment_json, handle_.get()));
    }
    /// Returns the outcome of the deployment: success if the commit is deployed, awaiting_approval
    /// if a person must approve first. None before the end, and for other runs.
    tinyci::outcome deploy_outcome() {
        return static_cast<tinyci::outcome>(tinyci_run_deploy_outcome(handle_.get()));
    }

private:
    friend class engine;

    run(detail::handle<tinyci_run> owned, std::shared_ptr<const detail::handlers> handlers,
        cancel_token cancel)
        : handle_(std::move(owned)), handlers_(std::move(handlers)), cancel_(std::move(cancel)) {}

    tinyci::code pull(std::int32_t wait) try {
        tinyci_event *out = nullptr;
        const tinyci::code pulled = detail::call(tinyci_run_next, handle_.get(), wait, &out);
        event_ = tinyci::event(out);
        return pulled;
    } catch (const error &) {
        // The callback's exception says more than the library's error.
        throw_failure();
        throw;
    }

    /// Throws the first exception of a callback, once.
    void throw_failure() {
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

    /// Answers the event with a callback, if one is registered.
    void answer() {
        request &asked = event_.asked_;
        if (!asked || !handlers_->has(event_.kind(), asked.name())) return;
        try {
            handlers_->answer(event_.kind(), asked);
        } catch (const refusal &no) {
            settle(asked, [&] { asked.fail(no.what(), no.code()); });
        } catch (const std::exception &thrown) {
            if (!failure_) failure_ = std::current_exception();
            settle(asked, [&] { asked.abort(thrown.what()); });
        } catch (...) {
            if (!failure_) failure_ = std::current_exception();
            settle(asked, [&] {
                asked.abort("a callback threw an object that is not a std::exception");
            });
        }
    }

    template <class Answer>
    static void settle(request &asked, Answer answer) {
        if (!asked) return;
        try {
            answer();
        } catch (const error &) {
            // The answer is no longer needed.
        }
    }

    detail::handle<tinyci_run> handle_;
    std::shared_ptr<const detail::handlers> handlers_;
    cancel_token cancel_;
    tinyci::event event_;
    std::exception_ptr failure_;
};

/// Runs the continuous integration of one repository: it finds the commits without a verdict, tests
/// them, and stores the results in git notes. It holds no lock and no open file between calls. Runs
/// continue after it is destroyed.
class engine {
public:
    /// Opens the repository at exactly this path: a bare one, the top of a working tree, or a
    /// `.git` directory.
    explicit engine(const std::filesystem::path &path, const options &set = options())
        : engine(tinyci_engine_open, path, set) {}
    /// Opens the nearest repository: the one at the directory, or in the nearest directory above
    /// it.
    static engine discover(const std::filesystem::path &directory,
                           const options &set = options()) {
        return engine(tinyci_engine_discover, directory, set);
    }

    /// Returns the directory that contains `builds/`.
    std::filesystem::path path() const { return detail::view(tinyci_engine_path(handle_.get())); }
    /// Returns true if the repository has no working tree.
    bool is_bare() const { return tinyci_engine_is_bare(handle_.get()) != 0; }
    /// Returns messages for a person, one per line: unknown settings, a repository that was moved,
    /// paths that commands cannot use.
    std::string warnings() const {
        return detail::make_text(tinyci_engine_warnings, handle_.get());
    }

    // -- Runs.

    /// Starts a run of the pending commits. If it cannot start, pulling the first event throws the
    /// error, such as code::busy.
    tinyci::run run(const selection &which = {}, const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_run_start, which.handle_.get());
    }
    /// Follows a run of another process or thread; its log comes as output. Runs no commands.
    tinyci::run follow(const selection &which = {}, const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_follow_start, which.handle_.get());
    }
    /// Runs steps of one commit in a separate export directory, until one fails. Each command comes
    /// as output before it runs. Nothing is recorded; the run's only record has the outcomes of the
    /// steps. The flags are 0 or `steps_keep`.
    tinyci::run run_step(const std::string &revision, const std::vector<std::string> &steps,
                         std::uint32_t flags = 0, const cancel_token &cancel = {}) const {
        const std::string names = detail::lines(steps);
        return start(cancel, tinyci_steps_start, detail::text(revision), detail::text(names),
                     flags);
    }
    /// Starts a deployment. Without an environment, it is that of the request's plan, else
    /// `production`. There is no confirmation: show a plan first. If the deployment cannot start,
    /// pulling the first event throws the error.
    tinyci::run deploy(const std::string &environment = "", const deploy_request &what = {},
                       const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_deploy_start, detail::optional_text(environment),
                     what.handle_.get());
    }
    /// Deploys what was deployed before the current deployment, to `production` by default.
    tinyci::run rollback(const std::string &environment = "",
                         const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_rollback_start, detail::optional_text(environment));
    }

    /// Reads the log of a commit's last job, or of all runs for an empty revision. Its lines come
    /// as output: the last `lines`, or all. It runs no commands and has no records. The flags are 0
    /// or `log_follow`, which continues with new lines until the commit's job ends or the run is
    /// canceled.
    tinyci::run log(const std::string &revision = "",
                    std::optional<std::int64_t> lines = std::nullopt, std::uint32_t flags = 0,
                    const cancel_token &cancel = {}) const {
        return start(cancel, tinyci_log_start, detail::optional_text(revision),
                     lines.value_or(-1), flags);
    }

    // -- Questions.

    /// Returns the pending commits, oldest first.
    std::vector<tinyci::commit> pending_commits(const selection &which = {}) const {
        return detail::read_all(detail::make<tinyci_commits>(tinyci_pending_commits, handle_.get(),
                                                             which.handle_.get()));
    }
    /// Returns the full id of the commit that a revision names.
    std::string resolve(const std::string &revision) const {
        return detail::make_text(tinyci_resolve, handle_.get(), detail::text(revision));
    }
    /// Returns the commits that revisions name, in their order. Much faster than a call for each.
    std::vector<tinyci::commit> commits(const std::vector<std::string> &revisions) const {
        const std::string all = detail::lines(revisions);
        return detail::read_all(
            detail::make<tinyci_commits>(tinyci_commits_load, handle_.get(), detail::text(all)));
    }
    /// Returns the commit that a revision names.
    tinyci::commit commit(const std::string &revision) const {
        return commits({revision}).at(0);
    }
    /// Returns the URL that pushes to a remote go to. The default remote is `origin`.
    std::string remote_url(const std::string &remote = "") const {
        return detail::make_text(tinyci_remote_url, handle_.get(), detail::optional_text(remote));
    }
    /// Returns the lines in a commit's records that tinyci cannot read: damaged or forged lines, or
    /// lines of another program.
    std::string unrecognized_lines(const std::string &revision) const {
        return detail::make_text(tinyci_unrecognized_lines, handle_.get(),
                                 detail::text(revision));
    }
    /// Returns the script API reference with the registered functions of this engine.
    std::string definitions(definitions_format written = definitions_format::markdown) const {
        return detail::make_text(tinyci_definitions, handle_.get(),
                                 static_cast<std::int32_t>(written));
    }
    /// Loads the pipeline of a commit.
    tinyci::pipeline pipeline(const std::string &revision) const {
        return tinyci::pipeline(detail::make<tinyci_pipeline>(tinyci_pipeline_load, handle_.get(),
                                                              detail::text(revision)));
    }
    /// Parses a pipeline that is not in a commit, with this engine's files and registered
    /// functions.
    tinyci::pipeline parse(std::string_view text, format written, const std::string &name) const {
        return tinyci::pipeline(detail::make<tinyci_pipeline>(
            tinyci_pipeline_parse, handle_.get(), text.data(), text.size(),
            static_cast<std::int32_t>(written), detail::text(name)));
    }
    /// Returns the records of earlier runs, newest commit first, with one outcome or any. `limit`
    /// is their maximum number, 0 for no limit. The selection has revisions and ranges; empty
    /// selects all commits.
    std::vector<record> records(const selection &which = {}, outcome only = outcome::none,
                                std::size_t limit = 0) const {
        return detail::read_all(detail::make<tinyci_records>(
            tinyci_records_query, handle_.get(), which.handle_.get(),
            static_cast<std::int32_t>(only), limit));
    }

    // -- Reports: what the command line prints with `--json`.

    /// Returns what a run would do, without doing it.
    value plan(const selection &which = {}) const {
        return report(tinyci_plan_json, which.handle_.get());
    }
    /// Checks the config of a commit.
    value check(const std::string &revision) const {
        return report(tinyci_check_json, detail::text(revision));
    }
    /// Checks a config that is not committed. A script imports files from the commit, or for an
    /// empty revision from the engine's path.
    value check(std::string_view text, format written, const std::string &name,
                const std::string &revision = "") const {
        return report(tinyci_check_text_json, detail::optional_text(revision), text.data(),
                      text.size(), static_cast<std::int32_t>(written), detail::text(name));
    }
    /// Runs the tests of a script: all, or those with one of the filters in their names. It runs no
    /// commands. The flags are 0 or `test_coverage`.
    value test_pipeline(const test_source &source = {},
                        const std::vector<std::string> &filters = {},
                        std::uint32_t flags = 0) const {
        const std::string parts = detail::lines(filters);
        const char *directory =
            source.directory.empty() ? nullptr : detail::text(source.directory);
        return report(tinyci_test_pipeline_json, detail::optional_text(source.revision), directory,
                      detail::optional_text(parts), flags);
    }
    /// Returns the results of commits, newest first, each as a map. The flags are 0 or
    /// `results_all_attempts`.
    std::vector<value> results(const selection &which = {}, outcome only = outcome::none,
                               std::size_t limit = 0, std::uint32_t flags = 0) const {
        return detail::json_lines(
            detail::make_text(tinyci_results_json, handle_.get(), which.handle_.get(),
                              static_cast<std::int32_t>(only), limit, flags));
    }

    /// Returns the status of the repository: what is running, pending and deployed.
    value status() const { return report(tinyci_status_json); }
    /// Returns all settings of a repository and their values.
    std::vector<value> settings() const {
        return detail::json_lines(detail::make_text(tinyci_settings_json, handle_.get()));
    }
    /// Returns the deployment that is live in an environment, or null. Default: `production`.
    value deployed(const std::string &environment = "") const {
        const std::string found = detail::make_text(tinyci_deployed_json, handle_.get(),
                                                    detail::optional_text(environment));
        return found.empty() ? value() : value::parse(found);
    }
    /// Returns deployments, newest first, to one environment or to all. Adds messages for a person
    /// to `warnings`.
    std::vector<value> deployments(const std::string &environment = "", std::size_t limit = 0,
                               std::string *warnings = nullptr) const {
        char *lines = nullptr;
        const std::string found =
            detail::make_text(tinyci_deployments_json, handle_.get(),
                              detail::optional_text(environment), limit, &lines);
        const detail::handle<char> owned(lines);
        if (warnings != nullptr) *warnings += detail::view(lines);
        return detail::json_lines(found);
    }
    /// Returns what a deployment would do, without doing it. You can show the plan and then carry
    /// it out with deploy_request::plan.
    value deploy_plan(const std::string &environment = "", const deploy_request &what = {}) const {
        return report(tinyci_deploy_plan_json, detail::optional_text(environment),
                      what.handle_.get());
    }

    // -- Actions. The default environment is `production`, the default remote `origin`.

    /// Writes the files of a commit to a directory, which must be empty or not exist.
    void export_commit(const std::string &revision, const std::filesystem::path &directory,
                       const cancel_token &cancel = {}) const {
        detail::call(tinyci_export_commit, handle_.get(), detail::text(revision),
                     detail::text(directory), cancel.handle_.get());
    }
    /// Lists the files that a job kept: all, or those that match paths, directories and globs.
    /// Without a job id, it is the newest job of the commit that kept artifacts.
    value artifacts(const std::string &revision, const std::vector<std::string> &paths = {},
                    const std::string &job_id = "") const {
        const std::string wanted = detail::lines(paths);
        return report(tinyci_artifacts_json, detail::text(revision), detail::optional_text(job_id),
                      detail::optional_text(wanted));
    }
    /// Copies such files to a directory and checks each against the record. The flags are 0 or
    /// `artifacts_force`. Returns the list of the copied files.
    value copy_artifacts(const std::string &revision, const std::filesystem::path &directory,
                         const std::vector<std::string> &paths = {}, const std::string &job_id = "",
                         std::uint32_t flags = 0, const cancel_token &cancel = {}) const {
        const std::string wanted = detail::lines(paths);
        return report(tinyci_artifacts_copy, detail::text(revision), detail::optional_text(job_id),
                      detail::optional_text(wanted), detail::text(directory), flags,
                      cancel.handle_.get());
    }
    /// Installs the git hook that tests pushed commits. The flags are a sum of `install_*`. Returns
    /// messages for a person.
    std::string install(const std::string &command = "tinyci", std::uint32_t flags = 0) const {
        return detail::make_text(tinyci_install, handle_.get(), detail::text(command), flags);
    }
    /// Removes the git hook. Returns messages for a person.
    std::string uninstall() const { return detail::make_text(tinyci_uninstall, handle_.get()); }
    /// Packs old builds into `.tar.gz` files. It leaves the newest `keep` builds, and those named
    /// by `keep_builds`: names, paths or commit ids. Returns what was packed; `not_removed` has
    /// what was not.
    value compact(std::size_t keep, const std::vector<std::string> &keep_builds = {},
                  const cancel_token &cancel = {}) const {
        const std::string lines = detail::lines(keep_builds);
        return report(tinyci_compact, keep, detail::text(lines), cancel.handle_.get());
    }
    /// Deletes a commit's verdict, so that it is tested again. Returns false if it had none.
    /// Deletes a commit's verdict, so that it is tested again. Returns false if it had none.
    bool forget(const std::string &revision) const {
        return is_done(tinyci_forget, detail::text(revision));
    }
    /// Deletes the verdicts and records of all commits, and accepts the loss of refs that other
    /// programs deleted, which runs otherwise restore. Returns the refs.
    value forget_all() const { return report(tinyci_forget_all); }
    /// Cancels the job of a commit, or the whole run for an empty revision, in any process, and
    /// waits until it has ended. The flags are a sum of `job_cancel_*`. If this program owns the
    /// run, another thread must keep pulling it. Returns what was canceled.
    value cancel(const std::string &revision = "", const intervention &by = {},
                 std::uint32_t flags = 0, std::chrono::milliseconds wait = forever,
                 const cancel_token &cancel = {}) const {
        return report(tinyci_job_cancel, detail::optional_text(revision),
                      detail::optional_text(by.reason), detail::optional_text(by.name),
                      detail::optional_text(by.address), flags,
                      static_cast<std::int64_t>(wait.count()), cancel.handle_.get());
    }
    /// Gives a commit the verdict `skipped`. An active job of it is canceled first. Returns the
    /// record.
    value skip(const std::string &revision, const intervention &by = {},
               const cancel_token &cancel = {}) const {
        return report(tinyci_skip, detail::text(revision), detail::optional_text(by.reason),
                      detail::optional_text(by.name), detail::optional_text(by.address),
                      cancel.handle_.get());
    }
    /// Approves the deployment of one commit to one environment, as git's user.name and user.email.
    value approve(const std::string &environment, const std::string &revision) const {
        return report(tinyci_approve, detail::optional_text(environment), detail::text(revision));
    }
    /// Allows deployments again after an interrupted one, once a person has checked the
    /// environment. The reason is recorded. Returns false if there was nothing to unlock.
    bool unlock_deployments(const std::string &environment, const std::string &reason) const {
        return is_done(tinyci_unlock_deployments, detail::optional_text(environment),
                       detail::text(reason));
    }
    /// Records that an environment has no deployment now, so that its builds are no longer
    /// protected. Returns false if that was recorded already.
    bool retire(const std::string &environment) const {
        return is_done(tinyci_retire, detail::optional_text(environment));
    }
    /// Removes old builds. The flags are a sum of `prune_*`. Returns what was removed;
    /// `not_removed` has what could not be removed.
    value prune(const prune_rules &rules = {}, std::uint32_t flags = 0,
                const cancel_token &cancel = {}) const {
        const auto none = std::chrono::milliseconds(-1);
        return report(tinyci_prune, rules.keep.value_or(-1),
                      static_cast<std::int64_t>(rules.max_age.value_or(none).count()),
                      rules.max_bytes.value_or(-1), flags, cancel.handle_.get());
    }
    /// Configures the repository so that `git fetch` also fetches a remote's verdicts, records and
    /// deployments. Returns the added lines of git's configuration.
    std::string setup_remote(const std::string &remote = "") const {
        return detail::make_text(tinyci_setup_remote, handle_.get(),
                                 detail::optional_text(remote));
    }
    /// Removes those lines and returns them.
    std::string undo_setup_remote(const std::string &remote = "") const {
        return detail::make_text(tinyci_undo_setup_remote, handle_.get(),
                                 detail::optional_text(remote));
    }
    /// Merges the verdicts and records that were last fetched from a remote. Returns false if
    /// nothing was new.
    bool merge_results(const std::string &remote = "") const {
        return is_done(tinyci_merge_results, detail::optional_text(remote));
    }

private:
    using open_function = decltype(tinyci_engine_open);

    engine(open_function *open, const std::filesystem::path &path, const options &set)
        : handlers_(std::make_shared<detail::handlers>(set.handlers_)) {
        if (tinyci_abi() != TINYCI_ABI || tinyci_version_number() < TINYCI_VERSION_NUMBER) {
            throw error(tinyci::code::unsupported,
                        "this program was built for tinyci " TINYCI_VERSION ", but it loaded "
                            + std::string(version()));
        }
        handle_ = detail::make<tinyci_engine>(open, detail::text(path), set.handle_.get());
    }

    template <class Function, class... Arguments>
    tinyci::run start(const cancel_token &cancel, Function *function,
                      Arguments... arguments) const {
        auto started = detail::make<tinyci_run>(function, handle_.get(), arguments...,
                                                cancel.handle_.get());
        return tinyci::run(std::move(started), handlers_, cancel);
    }
    template <class Function, class... Arguments>
    bool is_done(Function *function, Arguments... arguments) const {
        return detail::call(function, handle_.get(), arguments...) == tinyci::code::ok;
    }
    template <class Function, class... Arguments>
    value report(Function *function, Arguments... arguments) const {
        return value::parse(detail::make_text(function, handle_.get(), arguments...));
    }

    std::shared_ptr<const detail::handlers> handlers_;
    detail::handle<tinyci_engine> handle_;
};

}  // namespace tinyci

#endif  // TINYCI_HPP
