// A small explicit-state model checker: every interleaving of a few step-wise threads, each state looked at
// once.
//
// A model is a value with
//   static constexpr int threads;
//   void step(int thread, Next next)      calls next(successor) for each thing that thread may do now, or not
//   at all std::string fault() const             the first broken promise, or empty std::string end_fault()
//   const         the same for a state in which no thread can go on std::string key() const               the
//   whole of it; equal keys mean equal states
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace dspu::schedules {

struct exploration {
  std::uint64_t states = 0;
  std::uint64_t ends = 0;     // states in which nothing more can happen
  double schedules = 0;       // interleavings: the paths from the first state to an end
  std::string fault;          // empty if every state kept its promises
  std::vector<int> schedule;  // which thread made each step on the way to the fault
};

template <class Model>
class explorer {
 public:
  exploration run(const Model& first) {
    found_.schedules = visit(first);
    found_.states = paths_.size();
    return found_;
  }

 private:
  // How many schedules lead on from here to an end.
  double visit(const Model& m) {
    auto key = m.key();
    if (const auto known = paths_.find(key); known != paths_.end()) return known->second;
    if (!keep(m.fault())) return 0;
    double paths = 0;
    bool moved = false;
    for (int thread = 0; thread < Model::threads && found_.fault.empty(); ++thread) {
      m.step(thread, [&](const Model& successor) {
        moved = true;
        if (!found_.fault.empty()) return;
        way_.push_back(thread);
        paths += visit(successor);
        way_.pop_back();
      });
    }
    if (!moved) {
      ++found_.ends;
      paths = 1;
      keep(m.end_fault());
    }
    paths_.emplace(std::move(key), paths);
    return paths;
  }

  bool keep(std::string fault) {
    if (fault.empty()) return true;
    if (found_.fault.empty()) {
      found_.fault = std::move(fault);
      found_.schedule = way_;
    }
    return false;
  }

  exploration found_;
  std::vector<int> way_;
  std::unordered_map<std::string, double> paths_;
};

template <class Model>
exploration explore(const Model& first) {
  return explorer<Model>().run(first);
}

}  // namespace dspu::schedules
