"""An S3M layer, and where its state goes: r2i_tf/ssm/layer.py in a picture."""

from docs.drawings import svg


def drawing() -> svg.Drawing:
  """Returns the drawing."""
  d = svg.Drawing(
      620,
      760,
      'The sequence model with one S3M layer opened',
      'Latent and action of the step before go through a dense layer into a'
      ' stack of layers. In each, a state-space model of diagonal dynamics'
      ' keeps a complex state x; its output passes GELU and a gated dense'
      ' layer, is added to the input of the layer, and normalised. A dense'
      ' layer makes h of what leaves the stack. Heads see h and z; a policy may'
      ' see the states x of all layers.',
  )
  middle = 250
  d.text(middle, 32, 'z and a of step t-1; zeros at a first step', middle=True)
  d.line((middle, 40), (middle, 62))
  d.box(130, 64, 240, 40, 'Dense, norm, SiLU')
  d.rectangle(40, 140, 420, 496, 'chosen', radius=6)
  d.text(452, 160, 'S3M layer', 'title end')
  d.line((middle, 104), (middle, 178))
  d.text(middle + 8, 128, 'u: H numbers a step', 'small soft')
  # The residual connection leaves before the state-space model.
  d.line((middle, 166), (66, 166), (66, 570), (middle - 18, 570))
  d.text(74, 374, 'u', 'small soft')
  d.box(
      100,
      180,
      340,
      148,
      'State-space model',
      [
          'λ̄, B̄ from λ, B and a learned step length',
          'x_t = λ̄ · prev_t + B̄ u_t,  P complex numbers',
          'prev_t = x_init at a first step, else x_(t-1)',
          'y_t = Re(C x_t) + D u_t',
      ],
  )
  d.line((middle, 328), (middle, 358))
  d.box(200, 360, 100, 38, 'GELU')
  d.line((middle, 398), (middle, 416), (180, 416), (180, 432))
  d.line((middle, 416), (350, 416), (350, 432))
  d.box(120, 434, 120, 38, 'Dense')
  d.box(290, 434, 120, 38, 'Dense, σ')
  d.line((180, 472), (180, 510), (middle - 18, 510))
  d.line((350, 472), (350, 510), (middle + 18, 510))
  d.circle(middle, 510, 16, '×')
  d.line((middle, 526), (middle, 552))
  d.circle(middle, 570, 16, '+')
  d.line((middle, 586), (middle, 594))
  d.box(170, 594, 160, 34, 'LayerNorm')
  d.line((middle, 628), (middle, 664))
  d.text(middle + 8, 653, 'more layers alike', 'small soft')
  d.box(130, 666, 240, 40, 'Dense, norm, SiLU')
  d.line((middle, 706), (middle, 726))
  d.text(middle, 746, 'h_t, for decoder, heads and policy', middle=True)
  # The state leaves to the right.
  d.line((440, 254), (486, 254))
  d.text(490, 250, 'x_t: to step t+1,')
  d.text(490, 270, 'and to a policy')
  return d
