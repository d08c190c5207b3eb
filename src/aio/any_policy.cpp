#include "dspu/aio/any_policy.hpp"

namespace dspu::aio {

any_policy any_policy::observed_by(observer& o, std::string name, classifier judge) const {
  any_policy copy = *this;
  copy.watch_ = std::make_shared<const detail::watch>(detail::watch{&o, std::move(name), std::move(judge)});
  return copy;
}

any_policy any_policy::keeping(std::shared_ptr<const void> what) const {
  auto row = std::make_shared<detail::any_row>(*row_);
  row->keep(std::move(what));
  any_policy copy = *this;
  copy.row_ = std::move(row);
  return copy;
}

any_policy any_policy::joined(const any_policy& outer, const any_policy& inner) {
  auto row = std::make_shared<detail::any_row>(*outer.row_);
  row->add_all(*inner.row_);
  any_policy whole;
  whole.row_ = std::move(row);
  return whole;
}

}  // namespace dspu::aio
