// A program that ends in mid-run, in the way that its first argument names; endings.cpp looks
// at what is left of it. usage: endings_program HOW REPOSITORY

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string_view>

#include <tinyci.hpp>

namespace {

const tinyci::cancel_token *stop = nullptr;

void on_interrupt(int) { stop->cancel(); }

void end(std::string_view how) {
    if (how == "exit") std::exit(7);
    if (how == "quick_exit") std::quick_exit(7);
    if (how == "abort") std::abort();
    if (how == "throw") throw std::runtime_error("nobody catches this");
    // Else the test sends a signal, while the build is silent.
    std::cout << "waiting" << std::endl;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const std::string_view how = argv[1];
    const tinyci::cancel_token token;
    stop = &token;
    if (how == "handled") std::signal(SIGINT, on_interrupt);
    tinyci::run run = tinyci::engine(argv[2]).run({}, token);
    for (const tinyci::event &event : run) {
        if (event.kind() != tinyci::event_kind::output || event.data() != "going\n") continue;
        if (how == "return") return 7;
        end(how);
    }
    std::signal(SIGINT, SIG_DFL);
    return run.records().at(0).outcome == tinyci::outcome::canceled ? 7 : 1;
}
