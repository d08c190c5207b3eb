// An observer that writes down what it is told, a line each: "kind policy reason name=value …".
#pragma once

#include "dspu/aio/observer.hpp"

#include <cstdio>
#include <string>

namespace dspu::test {

class witness : public aio::observer {
 public:
  void on_event(const aio::event& e) noexcept override {
    text_ += name_of(e.kind);
    for (const auto word : {e.policy, e.reason}) {
      if (!word.empty()) text_.append(" ").append(word);
    }
    for (const auto& f : e.facts) {
      char number[32];
      std::snprintf(number, sizeof number, "%.4g", f.value);
      text_.append(" ").append(f.name).append("=").append(number);
    }
    text_ += '\n';
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace dspu::test
