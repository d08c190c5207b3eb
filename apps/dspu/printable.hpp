// Text that comes from outside, made fit for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace dspu::app {

// Terminals obey control characters: a server, a proxy or a list of URLs could move the cursor,
// rewrite lines, or type into the shell. Control characters (C0 but for the line feed, DEL, C1),
// characters that change the direction of text, and line separators are written as escapes, as \x1b
// or \u009b; a byte that is not UTF-8 as \xNN.
std::string printable(std::string_view text);
// The same for text of one line: a line feed is escaped too, so that it cannot begin a message of
// its own.
std::string printable_line(std::string_view text);

}  // namespace dspu::app
