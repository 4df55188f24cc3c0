// The private binding, which echo_rt/native.py chooses where it was built. It checks what a loop would break on; the
// definitions in echo_rt/reference say what each function takes and gives.
#include <cmath>

#include "axis.hpp"
#include "binding.hpp"
#include "drawing.hpp"
#include "mask.hpp"
#include "picture.hpp"
#include "postprocess.hpp"
#include "preprocess.hpp"
#include "sector.hpp"
#include "speckle.hpp"
#include "systole.hpp"
#include "wall.hpp"

namespace echo_rt::binding {

namespace {

void expect(bool met, const char* message) {
  if (!met) throw nb::value_error(message);
}

bool is_colour(const Image& image) {
  const bool colour = image.ndim() == 3;
  expect(image.ndim() == 2 || (colour && image.shape(2) == 3), "expected an image (H, W) or (H, W, 3)");
  return colour;
}

GridMap usable(const GridMap& map) {
  expect(map.usable(), "expected a grid and an image of one pixel or more, scale > 0, and finite numbers");
  return map;
}

// Weights for one size of image, computed once.
class Preprocess {
 public:
  Preprocess(nb::handle place, float mean, float std) : plan_(usable(grid_map_of(place)), mean, std) {}

  void operator()(Image image, nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu> out) const {
    const GridMap& place = plan_.place;
    const bool colour = image.ndim() == 3;
    const auto is = [](std::size_t size, int expected) { return static_cast<int>(size) == expected; };
    const bool fits = (image.ndim() == 2 || (colour && image.shape(2) == 3 && image.stride(2) == 1)) &&
                      is(image.shape(0), place.image_height) && is(image.shape(1), place.image_width) &&
                      image.stride(1) == (colour ? 3 : 1) && is(out.shape(0), place.height) &&
                      is(out.shape(1), place.width);
    expect(fits, "the image or the buffer does not fit this plan, or its pixels are not contiguous in a row");
    const uint8_t* data = image.data();
    const std::ptrdiff_t row_bytes = image.stride(0);
    float* target = data_of(out);
    nb::gil_scoped_release release;
    preprocess(plan_, data, row_bytes, colour ? 3 : 1, target);
  }

 private:
  Plan plan_;
};

void check_classes(const Planes& planes) {
  expect(planes.shape(0) == kClasses && planes.size() > 0, "expected (4, h, w), h and w at least 1");
}

nb::tuple postprocess(Planes logits) {
  check_classes(logits);
  const std::size_t height = logits.shape(1), width = logits.shape(2);
  const float* given = data_of(logits);
  auto probability = new_array<float>(kClasses, height, width);
  auto labels = new_array<uint8_t>(height, width);
  auto tally = new_array<double>(3, kClasses);
  {
    nb::gil_scoped_release release;
    const auto pixels = static_cast<std::ptrdiff_t>(height * width);
    const Tally found = echo_rt::postprocess(given, pixels, probability.data(), labels.data());
    static_assert(sizeof found == 3 * kClasses * sizeof(double), "copied in one piece");
    std::memcpy(tally.data(), &found, sizeof found);
  }
  return nb::make_tuple(probability, labels, tally);
}

nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>> enlarge(Planes probability, nb::handle map) {
  check_classes(probability);
  GridMap place = grid_map_of(map);
  place.height = static_cast<int>(probability.shape(1)), place.width = static_cast<int>(probability.shape(2));
  place = usable(place);
  const float* given = data_of(probability);
  auto labels = new_array<uint8_t>(place.image_height, place.image_width);
  nb::gil_scoped_release release;
  echo_rt::enlarge(given, place, labels.data());
  return labels;
}

void tint(Picture picture, Mask labels, Layer layer, nb::handle how) {
  const bool fits = picture.shape(2) == 3 && picture.stride(2) == 1 && picture.stride(1) == 3;
  expect(fits, "expected a picture (H, W, 3) whose pixels are contiguous in a row");
  expect(labels.shape(0) == layer.shape(0) && labels.shape(1) == layer.shape(1),
         "expected labels as large as the layer");
  const auto [scale, x_shift, y_shift] = attribute<std::array<float, 3>>(how, "to_grid");
  const auto [blue, green, red] = attribute<std::array<float, 3>>(how, "colour");
  const float share = attribute<float>(how, "share");
  expect(scale > 0 && std::isfinite(scale) && std::isfinite(x_shift) && std::isfinite(y_shift),
         "expected scale > 0, and finite numbers");
  const auto within = [](float number, float most) { return number >= 0 && number <= most; };
  expect(within(share, 1) && within(blue, 255) && within(green, 255) && within(red, 255),
         "expected a share of 0 to 1, and colours of 0 to 255");
  const Tint wanted{attribute<int>(how, "label"), scale, x_shift, y_shift, {blue, green, red}, share};
  const Canvas canvas{picture.data(), static_cast<std::ptrdiff_t>(picture.shape(0)),
                      static_cast<std::ptrdiff_t>(picture.shape(1)), picture.stride(0)};
  const Field field = field_of(layer);
  nb::gil_scoped_release release;
  echo_rt::tint(canvas, labels.data(), field, wanted);
}

// All that follow take some microseconds: the interpreter's lock is kept.

constexpr int kMostMargin = 1024;  // far more than any, and few enough to be counted in an int

nb::object smoothed(Layer cavity, float level, int margin, int pad, Weights weights) {
  expect(margin >= 0 && margin <= kMostMargin && pad >= 0 && pad <= kMostMargin && weights.shape(0) % 2 == 1,
         "expected margins of 0 to 1024 pixels, and an odd number of weights");
  const Smoothing how{level, margin, pad, data_of(weights), static_cast<int>(weights.shape(0) / 2)};
  const Part part = echo_rt::smoothed(field_of(cavity), how);
  if (part.field.empty()) return nb::none();
  auto field = new_array<float>(part.height, part.width);
  std::memcpy(field.data(), part.field.data(), part.field.size() * sizeof(float));
  return nb::make_tuple(field, nb::make_tuple(part.left, part.top));
}

nb::tuple trace(Layer field, Chain chain, double level, Layer wall, Layer atrium, Pair origin, double reach) {
  const std::size_t n = chain.shape(0);
  auto points = new_array<double>(n, 2);
  auto beside_wall = new_array<double>(n), beside_atrium = new_array<double>(n);
  const Surroundings around{field_of(wall), field_of(atrium), point_of(origin), reach};
  const Border border{points_in(points.data()), beside_wall.data(), beside_atrium.data()};
  const double area = echo_rt::trace(field_of(field), data_of(chain), n, level, around, border);
  return nb::make_tuple(points, beside_wall, beside_atrium, area);
}

nb::object walled(PointArray points, Numbers wall, Numbers atrium, std::size_t reach, nb::handle rule) {
  const std::size_t n = points.shape(0);
  constexpr std::size_t most = 1 << 20;
  expect(n >= 1 && wall.shape(0) == n && atrium.shape(0) == n && reach >= 1 && reach <= most,
         "expected N points, wall and atrium of each, and a reach of 1 to 1048576 points");
  const std::vector<Point> open =
      echo_rt::walled(points_of(points), data_of(wall), data_of(atrium), reach, contour_rule_of(rule));
  return open.empty() ? nb::none() : array_of(open);
}

nb::object over_the_roof(PointArray points, PointArray hinges, std::pair<double, double> apex) {
  expect(points.shape(0) >= 1 && hinges.shape(0) == 2, "expected points, and two hinge points");
  const Points ends = points_of(hinges);
  return array_of(echo_rt::over_the_roof(points_of(points), ends[0], ends[1], {apex.first, apex.second}));
}

nb::object long_axis(PointArray points, double shell, std::size_t disks) {
  std::vector<double> diameters(disks);
  const auto axis = echo_rt::long_axis(points_of(points), shell, disks, diameters.data());
  if (!axis) return nb::none();
  nb::list listed;
  for (double diameter : diameters) listed.append(diameter);
  return nb::make_tuple(axis->length, axis->area, nb::make_tuple(axis->apex.x, axis->apex.y), nb::tuple(listed));
}

nb::tuple wall_lines(Layer cavity, Layer wall, PointArray points, nb::handle lines) {
  const auto levels = attribute<Numbers>(lines, "levels");
  const int samples = attribute<int>(lines, "samples");
  expect(points.shape(0) >= 3 && levels.shape(0) >= 2 && samples >= 2,
         "expected three points, two levels and two samples, or more");
  const std::size_t count = levels.shape(0) - 2;
  auto distances = new_array<double>(2, count), thicknesses = new_array<double>(2, count);
  auto starts = new_array<double>(2, count, 2), normals = new_array<double>(2, count, 2);
  auto segment = new_array<int8_t>(points.shape(0));
  const WallLines laid{point_attribute(lines, "up"),
                       attribute<double>(lines, "length"),
                       point_attribute(lines, "origin"),
                       point_attribute(lines, "to_grid"),
                       data_of(levels),
                       count,
                       attribute<double>(lines, "reach"),
                       samples};
  const WallFound found{distances.data(), thicknesses.data(), segment.data(), points_in(starts.data()),
                        points_in(normals.data())};
  echo_rt::wall_lines(field_of(cavity), field_of(wall), points_of(points), laid, found);
  return nb::make_tuple(distances, thicknesses, segment, starts, normals);
}

nb::ndarray<nb::numpy, double, nb::ndim<1>> depth(PointArray hull, PointArray points) {
  expect(hull.shape(0) >= 3, "expected a polygon of three corners or more");
  auto depths = new_array<double>(points.shape(0));
  echo_rt::depth(points_of(hull), points_of(points), depths.data());
  return depths;
}

nb::ndarray<nb::numpy, double, nb::ndim<2>> systole_misfits(Numbers t, Rows y, Rows begins, Rows lasts) {
  const std::size_t n = t.shape(0), pairs = begins.shape(1);
  expect(n && y.shape(1) == n && begins.shape(0) == kSlopes && lasts.shape(0) == kSlopes && lasts.shape(1) == pairs,
         "expected N times, curves (C, N), begins and lasts (5, K)");
  auto misfits = new_array<double>(pairs, y.shape(0));
  echo_rt::systole_misfits({data_of(t), data_of(y), n, y.shape(0)}, {data_of(begins), data_of(lasts), pairs},
                           misfits.data());
  return misfits;
}

nb::tuple coarse(Image image, Ints size, int dark, int chroma, std::array<int, 4> window) {
  const bool colour = is_colour(image);
  const int height = static_cast<int>(image.shape(0)), width = static_cast<int>(image.shape(1));
  const auto [rows, columns] = size;
  const auto [row_begin, row_end, column_begin, column_end] = window;
  expect(rows >= 1 && rows <= height && columns >= 1 && columns <= width, "expected a grid no finer than the image");
  expect(row_begin >= 0 && row_end <= rows && column_begin >= 0 && column_end <= columns,
         "expected a window in the grid");
  auto level = new_array<uint8_t>(rows, columns), lit = new_array<uint8_t>(rows, columns);
  const Pixels pixels{
      image.data(), image.stride(0), image.stride(1), colour ? image.stride(2) : 0, colour ? 3 : 1, height, width};
  const CoarseGrid grid{rows, columns, dark, chroma, {row_begin, row_end, column_begin, column_end}};
  const double share = echo_rt::coarse(pixels, grid, level.data(), lit.data());
  return nb::make_tuple(level, lit, share);
}

nb::object sector(Mask lit, double speck) {
  const int height = static_cast<int>(lit.shape(0)), width = static_cast<int>(lit.shape(1));
  const std::vector<Point> corners = echo_rt::sector(lit.data(), height, width, speck);
  return corners.size() < 3 ? nb::none() : array_of(corners);
}

nb::ndarray<nb::numpy, float, nb::ndim<2>> cells(Image image, Ints corner, Ints size, int cell, int stride) {
  const bool colour = is_colour(image);
  const auto [row, column] = corner;
  const auto [rows, columns] = size;
  const auto fit = [cell](int first, int count, std::size_t pixels) {
    return first >= 0 && count >= 1 && (static_cast<int64_t>(first) + count) * cell <= static_cast<int64_t>(pixels);
  };
  // Sixteen pixels and more would not go into the sums of the rows.
  expect(cell >= 1 && stride >= 1 && (cell - 1) / 16 < stride && fit(row, rows, image.shape(0)) &&
             fit(column, columns, image.shape(1)),
         "expected cells that lie in the image, and 16 picks along a side at most");
  auto means = new_array<float>(rows, columns);
  const uint8_t* first = image.data() + (colour ? image.stride(2) : 0) +
                         static_cast<std::ptrdiff_t>(row) * cell * image.stride(0) +
                         static_cast<std::ptrdiff_t>(column) * cell * image.stride(1);
  echo_rt::cells(first, image.stride(0), image.stride(1), {rows, columns, cell, stride}, means.data());
  return means;
}

nb::tuple follow_speckle(nb::handle before, nb::handle after, Lines start, Lines normal, nb::handle search) {
  const int samples = attribute<int>(search, "samples"), rounds = attribute<int>(search, "rounds");
  expect(start.shape(1) >= 1 && start.shape(1) % 3 == 0 && normal.shape(1) == start.shape(1) && samples >= 1,
         "expected lines in three thirds, and samples");
  const auto earlier = attribute<Layer>(before, "field"), later = attribute<Layer>(after, "field");
  const Point origin = point_attribute(search, "origin");
  const auto patch_of = [&](const Layer& field, nb::handle picture) {
    const auto [row, column] = attribute<Ints>(picture, "corner");
    return Patch{field_of(field), {origin.x - column, origin.y - row}};
  };
  const Patch patch_before = patch_of(earlier, before), patch_after = patch_of(later, after);
  auto found = new_array<double>(2, 3, 3);
  auto certain = new_array<double>(2, 3);
  const std::size_t count = start.shape(1) / 3;
  const double unit = attribute<double>(search, "unit");
  expect(!(unit < 0), "expected a unit of no less than nothing");
  SpeckleLines lines{
      points_in(data_of(start)), points_in(data_of(normal)), count, point_attribute(search, "to_cells"), unit, samples};
  for (std::size_t third = 0; third < 6; ++third, lines.starts += count, lines.normals += count) {
    const Motion one = echo_rt::follow_speckle(patch_before, patch_after, lines, rounds);
    double* at = found.data() + 3 * third;
    at[0] = one.shift, at[1] = one.strain, at[2] = one.slide, certain.data()[third] = one.certain;
  }
  return nb::make_tuple(found, certain);
}

}  // namespace

NB_MODULE(_native, m) {
  using nb::arg;
  nb::class_<Preprocess>(m, "Preprocess")
      .def(nb::init<nb::handle, float, float>(), arg("place"), arg("mean"), arg("std"))
      .def("__call__", &Preprocess::operator(), arg("image"), arg("out"));
  m.def("postprocess", &postprocess, arg("logits"));
  m.def("enlarge", &enlarge, arg("probability"), arg("place"));
  m.def("tint", &tint, arg("picture"), arg("labels"), arg("layer"), arg("how"));
  m.def("smoothed", &smoothed, arg("cavity"), arg("level"), arg("margin"), arg("pad"), arg("weights"));
  m.def("trace", &trace, arg("field"), arg("chain"), arg("level"), arg("wall"), arg("atrium"), arg("origin"),
        arg("reach"));
  m.def("walled", &walled, arg("points"), arg("wall"), arg("atrium"), arg("reach"), arg("rule"));
  m.def("over_the_roof", &over_the_roof, arg("points"), arg("hinges"), arg("apex"));
  m.def("long_axis", &long_axis, arg("points"), arg("shell"), arg("disks"));
  m.def("wall_lines", &wall_lines, arg("cavity"), arg("wall"), arg("points"), arg("lines"));
  m.def("depth", &depth, arg("hull"), arg("points"));
  m.def("systole_misfits", &systole_misfits, arg("t"), arg("y"), arg("begins"), arg("lasts"));
  m.def("coarse", &coarse, arg("image"), arg("size"), arg("dark"), arg("chroma"), arg("window"));
  m.def("sector", &sector, arg("lit"), arg("speck"));
  m.def("cells", &cells, arg("image"), arg("corner"), arg("size"), arg("cell"), arg("stride"));
  m.def("follow_speckle", &follow_speckle, arg("before"), arg("after"), arg("start"), arg("normal"), arg("search"));
}

}  // namespace echo_rt::binding
