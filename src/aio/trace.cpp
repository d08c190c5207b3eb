#include "dspu/aio/trace.hpp"

#include "dspu/aio/detail/in_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <istream>
#include <iterator>
#include <map>

namespace dspu::aio {

namespace {

constexpr std::array<std::string_view, 6> words{"success", "failure",   "ignored",
                                                "refused", "timed_out", "cancelled"};

bool must_be_written_out(unsigned char c) { return c <= ' ' || c == 0x7f || c == '%' || c == ':'; }

void put_word(std::string& line, std::string_view word) {
  constexpr std::string_view hex = "0123456789abcdef";
  if (word.empty()) {
    line += '-';
  } else if (word == "-") {
    line += "%2d";
  } else {
    for (const char c : word) {
      const auto byte = static_cast<unsigned char>(c);
      if (must_be_written_out(byte)) {
        line += {'%', hex[byte >> 4], hex[byte & 15]};
      } else {
        line += c;
      }
    }
  }
}

void put_number(std::string& line, std::int64_t n) { line += std::to_string(n); }

// One line of a trace, taken apart from the left.
class reader {
 public:
  reader(std::string_view line, std::size_t number) : rest_(line), number_(number) {}

  bool empty() const { return rest_.empty(); }
  // What stands before the next `mark`, which is taken as well.
  std::string_view next(char mark) {
    const auto end = rest_.find(mark);
    const auto piece = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
    if (end != std::string_view::npos && rest_.empty()) fail("the last word", "", "not empty");
    return piece;
  }
  reader part() { return {next(' '), number_}; }

  [[noreturn]] void fail(std::string_view what, std::string_view value, std::string_view range) const {
    std::string message(what);
    message += " is \"" + std::string(value.substr(0, 100)) + "\", must be ";
    throw trace_error(number_, message + std::string(range));
  }

  std::int64_t number(std::string_view what, std::string_view text, bool negative_too) const {
    std::int64_t n = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    const bool whole = ec == std::errc{} && end == text.data() + text.size() && (n != 0 || text != "-0");
    if (!whole || (n < 0 && !negative_too)) {
      fail(what, text,
           negative_too ? "a whole number of nanoseconds" : "a whole number of nanoseconds, at least 0");
    }
    return n;
  }
  core::instant instant(std::string_view what, char mark) {
    return core::instant{duration{number(what, next(mark), true)}};
  }
  duration span(std::string_view what, char mark) { return duration{number(what, next(mark), false)}; }

  std::string word(std::string_view what, char mark) {
    const auto text = next(mark);
    if (text.empty()) fail(what, text, "a word, or - for none");
    if (text == "-") return {};
    std::string word;
    for (std::size_t i = 0; i < text.size(); ++i)
      word += text[i] == '%' ? written_out(what, text, i) : plain(what, text, i);
    return word;
  }
  ending_word outcome(std::string_view what, char mark) {
    const auto text = next(mark);
    const auto word = ending_word_of(text);
    if (!word) fail(what, text, "success, failure, ignored, refused, timed_out or cancelled");
    return *word;
  }
  void end(std::string_view what) const {
    if (!rest_.empty()) fail("what follows " + std::string(what), rest_, "nothing");
  }

 private:
  char plain(std::string_view what, std::string_view text, std::size_t i) const {
    if (must_be_written_out(static_cast<unsigned char>(text[i])))
      fail(what, text, "without control characters and :");
    return text[i];
  }
  char written_out(std::string_view what, std::string_view text, std::size_t& i) const {
    unsigned value = 0;
    const char* first = text.data() + i + 1;
    const char* last = text.data() + std::min(i + 3, text.size());
    const auto [end, ec] = std::from_chars(first, last, value, 16);
    if (ec != std::errc{} || end != first + 2) fail(what, text, "with two hexadecimal digits after each %");
    i += 2;
    return static_cast<char>(value);
  }

  std::string_view rest_;
  std::size_t number_;
};

void read_step(reader step, recorded_call& call) {
  const auto kind = step.next(':');
  if (kind == "attempt") {
    auto& a = call.attempts.emplace_back();
    a.how = step.outcome("an attempt's outcome", ':');
    a.at = step.span("an attempt's start", ':');
    a.took = step.span("an attempt's time", ':');
  } else if (kind == "waited") {
    auto& w = call.waits.emplace_back();
    w.policy = step.word("a wait's policy", ':');
    w.at = step.span("a wait's start", ':');
    w.took = step.span("a wait's time", ':');
  } else if (kind == "refused") {
    auto& r = call.refusals.emplace_back();
    r.policy = step.word("a refusal's policy", ':');
    r.reason = step.word("a refusal's reason", ':');
    r.at = step.span("a refusal's time", ':');
  } else {
    step.fail("a step", kind, "attempt, waited or refused");
  }
  step.end("a step");
}

recorded_call read_call(reader& line) {
  recorded_call call;
  call.start = line.instant("a call's start", ' ');
  call.pipeline = line.word("a call's pipeline", ' ');
  call.how = line.outcome("a call's outcome", ' ');
  call.took = line.span("a call's time", ' ');
  while (!line.empty()) read_step(line.part(), call);
  return call;
}

recorded_state read_state(reader& line) {
  recorded_state s;
  s.at = line.instant("a state's instant", ' ');
  s.pipeline = line.word("a state's pipeline", ' ');
  s.state = line.word("a state", ' ');
  s.reason = line.word("a state's reason", ' ');
  line.end("a state");
  return s;
}

void read_line(std::string_view text, std::size_t number, trace& t) {
  reader line(text, number);
  const auto kind = line.next(' ');
  if (kind == "call") {
    t.calls.push_back(read_call(line));
  } else if (kind == "state") {
    t.states.push_back(read_state(line));
  } else {
    line.fail("a line's first word", kind, "call or state");
  }
}

// The smallest of the values that at least this share of them does not exceed.
duration quantile(std::vector<duration>& values, double share) {
  if (values.empty()) return duration{0};
  const auto count = static_cast<double>(values.size());
  const auto rank = static_cast<std::size_t>(std::max(0.0, share * count - 1e-9));
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::min(rank, values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

core::instant end_of(const recorded_call& c) { return core::add_saturating(c.start, c.took); }

// Never below 0.
duration between(core::instant from, core::instant to) {
  std::int64_t n = 0;
  if (to <= from) return duration{0};
  if (__builtin_sub_overflow(to.time_since_epoch().count(), from.time_since_epoch().count(), &n))
    return duration::max();
  return duration{n};
}

duration time_open(const trace& t) {
  core::instant last = core::instant::min();
  for (const auto& c : t.calls) last = std::max(last, end_of(c));
  std::vector<const recorded_state*> states;
  states.reserve(t.states.size());
  for (const auto& s : t.states) states.push_back(&s);
  std::sort(states.begin(), states.end(),
            [](auto a, auto b) { return a->at != b->at ? a->at < b->at : a < b; });
  std::map<std::string, core::instant> open;
  duration sum{0};
  const auto close = [&](const std::string& pipeline, core::instant at) {
    const auto found = open.find(pipeline);
    if (found == open.end()) return;
    sum = core::add_saturating(sum, between(found->second, at));
    open.erase(found);
  };
  for (const auto* s : states) {
    close(s->pipeline, s->at);
    if (s->state == "open") open.emplace(s->pipeline, s->at);
  }
  while (!open.empty()) close(open.begin()->first, last);
  return sum;
}

std::string cell(std::int64_t n) { return std::to_string(n); }
std::string cell(duration d) { return detail::in_words(d); }

struct columns {
  std::vector<std::string> header;  // empty: none
  std::vector<const trace_summary*> summaries;
};

std::string table(const columns& c) {
  std::string text;
  const auto add = [&text](std::string_view name, const std::vector<std::string>& cells) {
    std::string line(name);
    line.resize(std::max<std::size_t>(line.size(), 18), ' ');
    for (const auto& value : cells) {
      line.append(value.size() < 14 ? 14 - value.size() : 1, ' ');
      line += value;
    }
    text += line + '\n';
  };
  const auto row = [&](std::string_view name, auto member) {
    std::vector<std::string> cells;
    cells.reserve(c.summaries.size());
    for (const auto* s : c.summaries) cells.push_back(cell(s->*member));
    add(name, cells);
  };
  if (!c.header.empty()) add(c.header.front(), {c.header.begin() + 1, c.header.end()});
  row("calls", &trace_summary::calls);
  row("  succeeded", &trace_summary::succeeded);
  row("  failed", &trace_summary::failed);
  row("  ignored", &trace_summary::ignored);
  row("  refused", &trace_summary::refused);
  row("  timed out", &trace_summary::timed_out);
  row("  cancelled", &trace_summary::cancelled);
  row("attempts", &trace_summary::attempts);
  row("  failed", &trace_summary::failed_attempts);
  row("refusals", &trace_summary::refusals);
  row("circuits opened", &trace_summary::opened);
  row("  open for", &trace_summary::open_for);
  row("waited, p50", &trace_summary::waited_p50);
  row("waited, p99", &trace_summary::waited_p99);
  row("took, p50", &trace_summary::took_p50);
  row("took, p99", &trace_summary::took_p99);
  return text;
}

}  // namespace

std::string_view name_of(ending_word w) { return words[static_cast<std::size_t>(w)]; }

std::optional<ending_word> ending_word_of(std::string_view name) {
  const auto found = std::find(words.begin(), words.end(), name);
  if (found == words.end()) return std::nullopt;
  return static_cast<ending_word>(found - words.begin());
}

trace_error::trace_error(std::size_t line, const std::string& what)
    : std::invalid_argument("trace, line " + std::to_string(line) + ": " + what), line_(line) {}

trace read_trace(std::string_view text) {
  trace t;
  if (!text.starts_with(trace_first_line)) {
    const auto first = text.substr(0, std::min<std::size_t>(text.find('\n'), 100));
    throw trace_error(1, "the first line is \"" + std::string(first) + "\", must be \"dspu-trace 1\"");
  }
  text.remove_prefix(trace_first_line.size());
  for (std::size_t number = 2; !text.empty(); ++number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) {
      t.torn = true;
      break;
    }
    read_line(text.substr(0, end), number, t);
    text.remove_prefix(end + 1);
  }
  return t;
}

trace read_trace(std::istream& from) {
  const std::string text{std::istreambuf_iterator<char>(from), std::istreambuf_iterator<char>()};
  if (from.bad()) throw std::runtime_error("trace: cannot be read");
  return read_trace(text);
}

std::string to_line(const recorded_call& call) {
  std::string line = "call ";
  const auto number = [&line](char mark, duration d) {
    line += mark;
    put_number(line, d.count());
  };
  put_number(line, call.start.time_since_epoch().count());
  line += ' ';
  put_word(line, call.pipeline);
  line += ' ';
  line += name_of(call.how);
  number(' ', call.took);
  for (const auto& a : call.attempts) {
    line += " attempt:";
    line += name_of(a.how);
    number(':', a.at);
    number(':', a.took);
  }
  for (const auto& w : call.waits) {
    line += " waited:";
    put_word(line, w.policy);
    number(':', w.at);
    number(':', w.took);
  }
  for (const auto& r : call.refusals) {
    line += " refused:";
    put_word(line, r.policy);
    line += ':';
    put_word(line, r.reason);
    number(':', r.at);
  }
  return line += '\n';
}

std::string to_line(const recorded_state& change) {
  std::string line = "state ";
  put_number(line, change.at.time_since_epoch().count());
  for (const auto* word : {&change.pipeline, &change.state, &change.reason}) {
    line += ' ';
    put_word(line, *word);
  }
  return line += '\n';
}

std::string to_text(const trace& t) {
  std::string text(trace_first_line);
  for (const auto& c : t.calls) text += to_line(c);
  for (const auto& s : t.states) text += to_line(s);
  return text;
}

trace of_pipeline(const trace& t, std::string_view pipeline) {
  trace some{.torn = t.torn};
  const auto wanted = [&](const auto& x) { return x.pipeline == pipeline; };
  std::copy_if(t.calls.begin(), t.calls.end(), std::back_inserter(some.calls), wanted);
  std::copy_if(t.states.begin(), t.states.end(), std::back_inserter(some.states), wanted);
  return some;
}

trace_summary summarize(const trace& t) {
  trace_summary s;
  std::vector<duration> waited;
  std::vector<duration> took;
  for (const auto& c : t.calls) {
    ++s.calls;
    switch (c.how) {
      case ending_word::success:
        ++s.succeeded;
        break;
      case ending_word::failure:
        ++s.failed;
        break;
      case ending_word::ignored:
        ++s.ignored;
        break;
      case ending_word::refused:
        ++s.refused;
        break;
      case ending_word::timed_out:
        ++s.timed_out;
        break;
      case ending_word::cancelled:
        ++s.cancelled;
        break;
    }
    for (const auto& a : c.attempts) {
      ++s.attempts;
      if (a.how == ending_word::failure || a.how == ending_word::timed_out) ++s.failed_attempts;
    }
    s.refusals += static_cast<std::int64_t>(c.refusals.size());
    duration in_lines{0};
    for (const auto& w : c.waits) {
      if (w.policy != "retry") in_lines = core::add_saturating(in_lines, w.took);
    }
    waited.push_back(in_lines);
    took.push_back(c.took);
  }
  s.opened = std::count_if(t.states.begin(), t.states.end(), [](const auto& x) { return x.state == "open"; });
  s.open_for = time_open(t);
  s.waited_p50 = quantile(waited, 0.5);
  s.waited_p99 = quantile(waited, 0.99);
  s.took_p50 = quantile(took, 0.5);
  s.took_p99 = quantile(took, 0.99);
  return s;
}

std::string to_text(const trace_summary& s) { return table({{}, {&s}}); }

std::string compare(const trace_summary& recorded, const trace_summary& replayed) {
  return table({{"", "recorded", "replayed"}, {&recorded, &replayed}});
}

}  // namespace dspu::aio
