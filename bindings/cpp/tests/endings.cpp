// Programs that end in mid-run: none hangs, none leaves a process, none leaves a verdict.

#include "check.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

using check::repository;

namespace {

/// The program of endings_program.cpp, beside this one, in a process of its own.
class child {
public:
    child(const std::string &how, const std::filesystem::path &repo) {
        const std::string program =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "endings_program";
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw check::failure("no pipe");
        process_ = fork();
        if (process_ == 0) {
            dup2(ends[1], STDOUT_FILENO);
            // What std::terminate says is no news.
            dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
            execl(program.c_str(), program.c_str(), how.c_str(), repo.c_str(), nullptr);
            _exit(126);
        }
        close(ends[1]);
        output_ = ends[0];
    }
    ~child() {
        if (!reaped_) {
            kill(process_, SIGKILL);
            waitpid(process_, nullptr, 0);
        }
        close(output_);
    }
    child(const child &) = delete;
    child &operator=(const child &) = delete;

    /// All of its output, up to a line that is waited for or its end.
    std::string read_until(const std::string &line) {
        std::string all;
        char letter = 0;
        while (all != line && read(output_, &letter, 1) == 1) all += letter;
        return all;
    }
    void send(int signal) { kill(process_, signal); }
    /// How it ended, as waitpid tells it.
    int ended() {
        int status = 0;
        check::eventually("the end of the program",
                          [&] { return waitpid(process_, &status, WNOHANG) == process_; });
        reaped_ = true;
        return status;
    }

private:
    pid_t process_ = 0;
    int output_ = -1;
    bool reaped_ = false;
};

/// Runs a program that ends so, and looks at what is left. Gives how it ended.
int leavings_of(const std::string &how, int signal = 0) {
    const repository repo("build: 'echo $$ >../../../process; echo going; sleep 600'\n");
    child program(how, repo.path());
    if (signal != 0) {
        EQUAL(program.read_until("waiting\n"), "waiting\n");
        program.send(signal);
    }
    const int status = program.ended();
    std::string process = check::read_file(repo.path() / "process");
    CHECK(!process.empty());
    process.pop_back();
    check::eventually("the end of the build", [&] { return !check::is_alive(process); });
    // The group goes with its leader: no `sleep` either.
    check::eventually("the end of its group", [&] { return kill(-std::stoi(process), 0) != 0; });
    EQUAL(repo.verdicts(), 0u);
    return status;
}

}  // namespace

TEST(a_program_that_exits_in_mid_run) {
    for (const char *how : {"exit", "quick_exit", "return"}) {
        const int status = leavings_of(how);
        CHECK(WIFEXITED(status));
        EQUAL(WEXITSTATUS(status), 7);
    }
}

TEST(a_program_that_dies_in_mid_run) {
    for (const char *how : {"throw", "abort"}) {
        const int status = leavings_of(how);
        CHECK(WIFSIGNALED(status));
        EQUAL(WTERMSIG(status), SIGABRT);
    }
}

TEST(a_program_that_is_interrupted_in_a_silent_build) {
    const int plain = leavings_of("interrupt", SIGINT);
    CHECK(WIFSIGNALED(plain));
    EQUAL(WTERMSIG(plain), SIGINT);
    const int killed = leavings_of("kill", SIGKILL);
    CHECK(WIFSIGNALED(killed));
    const int handled = leavings_of("handled", SIGINT);
    CHECK(WIFEXITED(handled));
    EQUAL(WEXITSTATUS(handled), 7);
}
