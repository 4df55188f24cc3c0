// What the binding takes from Python and gives to it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "contour.hpp"
#include "grid_map.hpp"
#include "points.hpp"

namespace echo_rt::binding {

namespace nb = nanobind;

template <typename Number, typename... Annotations>
using Given = nb::ndarray<const Number, Annotations..., nb::c_contig, nb::device::cpu>;
using Image = nb::ndarray<const uint8_t, nb::numpy, nb::device::cpu>;
using Picture = nb::ndarray<uint8_t, nb::numpy, nb::ndim<3>, nb::device::cpu>;
using Mask = Given<uint8_t, nb::ndim<2>>;
using Layer = Given<float, nb::ndim<2>>;
using Planes = Given<float, nb::ndim<3>>;
using Weights = Given<float, nb::ndim<1>>;
using Chain = Given<int32_t, nb::shape<-1, 2>>;
using PointArray = Given<double, nb::shape<-1, 2>>;
using Lines = Given<double, nb::shape<2, -1, 2>>;
using Numbers = Given<double, nb::ndim<1>>;
using Rows = Given<double, nb::ndim<2>>;
using Pair = std::pair<double, double>;
using Ints = std::pair<int, int>;

// The numbers of an array. Those of a view of raw bytes may begin where a processor does not look for a number.
template <typename Array>
auto* data_of(const Array& array) {
  auto* data = array.data();
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(decltype(*data)) != 0) {
    throw nb::value_error("expected an array that is aligned in memory, found another; copy it first");
  }
  return data;
}

// An array of NumPy's, which owns its numbers.
template <typename Number, typename... Shape>
nb::ndarray<nb::numpy, Number, nb::ndim<sizeof...(Shape)>> new_array(Shape... shape) {
  auto* data = new Number[(static_cast<std::size_t>(shape) * ...)];
  return {data, {static_cast<std::size_t>(shape)...}, nb::capsule(data, [](void* p) noexcept {
            delete[] static_cast<Number*>(p);
          })};
}

static_assert(sizeof(Point) == 2 * sizeof(double), "points are read and written in place");

inline nb::object array_of(const std::vector<Point>& points) {
  auto array = new_array<double>(points.size(), 2);
  std::memcpy(array.data(), points.data(), points.size() * sizeof(Point));
  return nb::cast(array);
}

inline Point point_of(const Pair& pair) { return {pair.first, pair.second}; }
inline const Point* points_in(const double* data) { return reinterpret_cast<const Point*>(data); }
inline Point* points_in(double* data) { return reinterpret_cast<Point*>(data); }
inline Points points_of(const PointArray& points) { return {points_in(data_of(points)), points.shape(0)}; }

inline Field field_of(const Layer& layer) {
  return {data_of(layer), static_cast<std::ptrdiff_t>(layer.shape(0)), static_cast<std::ptrdiff_t>(layer.shape(1))};
}

// An attribute of a parameter object, which is a dataclass or a named tuple in Python.
template <typename T>
T attribute(nb::handle of, const char* name) {
  return nb::cast<T>(of.attr(name));
}

inline Point point_attribute(nb::handle of, const char* name) { return point_of(attribute<Pair>(of, name)); }

inline GridMap grid_map_of(nb::handle place) {
  const auto [height, width] = attribute<Ints>(place, "grid");
  const auto [image_height, image_width] = attribute<Ints>(place, "image");
  return {attribute<double>(place, "scale"),
          attribute<double>(place, "x0"),
          attribute<double>(place, "y0"),
          height,
          width,
          image_height,
          image_width};
}

inline ContourRule contour_rule_of(nb::handle rule) {
  const auto number = [&](const char* name) { return attribute<double>(rule, name); };
  return {number("wall_probability"), number("min_atrium_contact"), number("min_gap"),       number("max_valve"),
          number("min_wall"),         number("min_corner_sine"),    number("max_sharpen_px")};
}

}  // namespace echo_rt::binding
